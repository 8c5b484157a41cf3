"""Words that are typical of one class: attackers append them, training copies make them weigh less.

Reference: D. Lowd, C. Meek. Good Word Attacks on Statistical Spam Filters. CEAS 2005.
"""

from collections import Counter
from collections.abc import Iterable


def rank_good_words(negative: Iterable[str], positive: Iterable[str]) -> list[str]:
    """Return the words of negative texts, those first that positive texts have least.

    Words have letters alone. They are ranked by the number of texts that have them: negative texts
    over 1 + positive texts.
    """
    in_negative, in_positive = (
        Counter(word for text in texts for word in set(text.lower().split()))
        for texts in (negative, positive)
    )
    scores = {w: n / (1 + in_positive[w]) for w, n in in_negative.items() if w.isalpha()}
    return sorted(scores, key=lambda word: (-scores[word], word))
