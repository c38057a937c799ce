"""How good probabilities, clusterings and encoders are, on labelled pairs that were not used to choose anything.

`pairs` scores probabilities, `curves` says what is drawn of them, `comparison` puts two sides side by side, `clusters`
scores a whole clustering, `resampling` says how sure a score is. All of them take arrays, and know no classifier.
"""

from dedup.evaluation.clusters import ClusterEvaluation, evaluate_clusters, evaluate_labelled_clusters
from dedup.evaluation.comparison import Comparison, Difference, compare_pairs
from dedup.evaluation.curves import PrecisionRecall, ReliabilityBin, precision_recall, reliability
from dedup.evaluation.pairs import Evaluation, evaluate_pairs, prior_weights, score_pairs
from dedup.evaluation.resampling import largest_share, number_texts, question_components, wilson_interval

__all__ = [
    "ClusterEvaluation",
    "Comparison",
    "Difference",
    "Evaluation",
    "PrecisionRecall",
    "ReliabilityBin",
    "compare_pairs",
    "evaluate_clusters",
    "evaluate_labelled_clusters",
    "evaluate_pairs",
    "largest_share",
    "number_texts",
    "precision_recall",
    "prior_weights",
    "question_components",
    "reliability",
    "score_pairs",
    "wilson_interval",
]
