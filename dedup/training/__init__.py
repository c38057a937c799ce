"""Training: labelled pairs in, an encoder out, in the metric in which it will be searched; or a cross-encoder.

`dedup.training.train.train` is the way in; it, `teaching` and `pair_teaching` have the order of the steps. `material`
reads, `examples` and `splits` make the training set, `mining` adds hard negatives, `architectures`, `small_networks`
and `distillation` make the network, `batches`, `pair_batches`, `losses`, `fitting` and `callbacks` train it, `judging`
scores it, `checkpoints` keeps it meanwhile, `publishing` and `cards` write it down. The modules that import torch are
imported when there is something to train.
"""

from dedup.training.options import Architecture, Precision, TrainingOptions

__all__ = ["Architecture", "Precision", "TrainingOptions"]
