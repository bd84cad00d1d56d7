#!/usr/bin/env python3
"""WikiText's sentences as people write them: a sentence a line, none twice, in an order by a seed.

usage: wikitext_sentences.py wikitext2.train.xz > FILE
Takes the spacing of WikiText back (" @-@ ", blanks before signs); leaves out headings, what is no whole sentence, sentences
with an unknown word or curly quotes, and those of less than 6 or more than 45 words.
"""
import lzma
import random
import re
import sys


def joined(text):
    text = re.sub(r" @(.)@ ", r"\1", text)
    text = re.sub(r" ([,.;:!?%)\]])", r"\1", text)
    text = re.sub(r"([(\[$£€]) ", r"\1", text)
    text = re.sub(r" (n't|'s|'re|'ve|'ll|'d|'m|')\b", r"\1", text)
    return re.sub(r'" ([^"]*?) ?"', r'"\1"', text).strip()


sentences = []
with lzma.open(sys.argv[1], "rt", encoding="utf-8") as lines:
    for line in map(str.strip, lines):
        if line.startswith("="):
            continue
        for sentence in re.split(r'(?<= [.!?]) (?=[A-Z"])', line):
            whole = re.search(r'[.!?]( ")?$', sentence) and sentence.count('"') % 2 == 0
            if whole and not re.search("<unk>|[“”‘’]", sentence) and 6 <= len(sentence.split()) <= 45:
                sentences.append(joined(sentence))
sentences = list(dict.fromkeys(sentences))
random.Random(0).shuffle(sentences)
print("\n".join(sentences))
