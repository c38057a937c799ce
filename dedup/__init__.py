"""Find questions that ask the same thing.

A Siamese encoder turns each question into a unit vector, a FAISS index holds the vectors under the Manhattan or the
Euclidean distance, a calibrated classifier turns a distance into the probability that two questions are duplicates, and
the pairs and their clusters are recorded in a SQL database. `dedup.pipeline` shows the whole way in one module;
docs/architecture.md draws the rooms.
"""

__version__ = "0.1.0"
