"""What question-dedup takes, and what others take for the same questions: see README.md beside this file."""
