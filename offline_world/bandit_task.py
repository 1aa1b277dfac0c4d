"""The paper's bandits (Section 3): two arms, of which only the first was pulled for the dataset."""

ARMS, PULLS = 2, 100
FIRST_ARM_PAYS = 0.5
#: What the second arm pays with, one test bandit each.
SECOND_ARM_PAYS = (0.01, 0.15, 0.3, 0.45, 0.55, 0.7, 0.85, 0.99)
