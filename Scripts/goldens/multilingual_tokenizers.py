#!/usr/bin/env python3
"""Small tokenizers of M2M100, NLLB, mBART-50 and T5 and what the reference makes of hostile strings with them.

usage: multilingual_tokenizers.py [OUT]      (default: Tests/TokenizersTests/Goldens of this checkout)
needs: pip install 'transformers==5.24.0' 'sentencepiece==0.2.3' protobuf

The strings are those of OUT/texts.json (tokenizers.py). OUT/NAME/ is a tokenizer's own files and golden.json: `source`, ids, null where
the reference's library normalizes a text otherwise than SentencePiece, whose model it is, or where two segmentations tie; `target`, ids of the
first 60; `decoded`, [ids, text].
nllb: ids are those of published models, whose vocabulary has the languages before <mask>; the reference has them otherwise where there is no
tokenizer.json. nllb-legacy: the language behind the text.
"""
import io, json, os, random, sys

if os.path.dirname(os.path.abspath(__file__)) in sys.path:
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))  # a file beside this one is called like a library

import sentencepiece
from transformers import M2M100Tokenizer, MBart50Tokenizer, NllbTokenizer, T5Tokenizer
from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES as M2M100_CODES
from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES as NLLB_CODES

here = os.path.dirname(os.path.abspath(__file__))
out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, '../../Tests/TokenizersTests/Goldens')
texts = json.load(open(f'{out}/texts.json'))
script = open(f'{here}/tokenizers.py', encoding='utf-8').read()
CORPUS = script.split('CORPUS = """')[1].split('"""')[0].strip().split('\n')
rng = random.Random(7)


def save(path, value):
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(value, file, ensure_ascii=True, separators=(',', ':'))
        file.write('\n')


def train(path, **options):
    rules = 'rules.tsv'  # in the working directory: its path becomes part of the model
    with open(rules, 'w') as file:  # full width, ligature, a run of two, white space
        file.write('FF26\t46\nFF35\t55\nFF2C\t4C\nFB01\t66 69\n2167\t56 49 49 49\nA0\t20\n3000\t20\n9\t20\nA\t20\nD\t20\n2E 2E 2E\t2026\n')
    written = io.BytesIO()  # a file's name would become part of the model
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 3), model_writer=written, hard_vocab_limit=False, minloglevel=2, character_coverage=1.0, num_threads=1,
        normalization_rule_tsv=rules, **options)
    os.unlink(rules)
    with open(path, 'wb') as file:
        file.write(written.getvalue())
    return sentencepiece.SentencePieceProcessor(model_file=path)


def make(name, cls, spm, config, languages, options):
    folder = f'{out}/{name}'
    os.makedirs(folder, exist_ok=True)
    model = train(f'{folder}/{spm}', **options)
    pieces = [model.id_to_piece(i) for i in range(model.get_piece_size())]
    if cls is M2M100Tokenizer:
        save(f'{folder}/vocab.json', {token: i for i, token in enumerate(['<s>', '<pad>', '</s>', '<unk>'] + [p for p in pieces[3:] if p not in 'QX'])})
    extra = {'additional_special_tokens': NLLB_CODES} if cls is NllbTokenizer else {}
    save(f'{folder}/tokenizer_config.json', config | languages | extra)
    tokenizer = cls.from_pretrained(folder)
    save(f'{folder}/tokenizer_config.json', config | languages)
    order = range(len(tokenizer) if cls is not M2M100Tokenizer else len(tokenizer.encoder) + 100)
    own = {i: i for i in order}
    if cls is NllbTokenizer:
        tokens = ['<s>', '<pad>', '</s>', '<unk>'] + pieces[3:] + NLLB_CODES + ['<mask>']
        own = {tokenizer.convert_tokens_to_ids(token): i for i, token in enumerate(tokens)}
        assert len(own) == len(tokens)
    its = {mine: id for id, mine in own.items()}
    backend = getattr(tokenizer, 'backend_tokenizer', None)

    def agrees(text):
        """Whether the reference normalizes a text as SentencePiece does, white space apart."""
        if backend is None or backend.normalizer is None:
            return True
        return backend.normalizer.normalize_str(text).split() == model.normalize(text).replace('▁', ' ').split()

    def ties(text):
        if options.get('model_type') == 'bpe':
            return False
        best = model.nbest_encode(text, nbest_size=2, out_type=str)
        scores = [sum(model.get_score(model.piece_to_id(p)) - 20 * model.is_unknown(model.piece_to_id(p)) for p in pieces) for pieces in best]
        return len(scores) > 1 and abs(scores[0] - scores[1]) < 1e-3

    source = [None if not agrees(text) or ties(text) else [own[i] for i in tokenizer(text)['input_ids']] for text in texts]
    target = [None if row is None else [own[i] for i in tokenizer(text_target=text)['input_ids']] for text, row in list(zip(texts, source))[:60]]
    decoded = []
    for row in [row for row in source if row][:60]:
        ids = row + [rng.randrange(len(own)) for _ in range(rng.randint(0, 8))]
        decoded.append([ids, tokenizer.decode([its[i] for i in ids], skip_special_tokens=True)])
    save(f'{folder}/golden.json', {'source': source, 'target': target, 'decoded': decoded, 'size': len(own)})
    print(name, len(own), sum(row is None for row in source), 'left out')


bpe = {'model_type': 'bpe', 'vocab_size': 260}
make('m2m100', M2M100Tokenizer, 'sentencepiece.bpe.model', {'additional_special_tokens': [f'__{code}__' for code in M2M100_CODES['m2m100']]},
     {'src_lang': 'en', 'tgt_lang': 'de'}, bpe)
make('nllb', NllbTokenizer, 'sentencepiece.bpe.model', {'tokenizer_class': 'NllbTokenizer'}, {'src_lang': 'eng_Latn', 'tgt_lang': 'deu_Latn'}, bpe)
make('nllb-legacy', NllbTokenizer, 'sentencepiece.bpe.model', {'tokenizer_class': 'NllbTokenizer', 'legacy_behaviour': True},
     {'src_lang': 'fra_Latn', 'tgt_lang': 'zho_Hans'}, bpe | {'vocab_size': 200})
make('mbart50', MBart50Tokenizer, 'sentencepiece.bpe.model', {'tokenizer_class': 'MBart50Tokenizer'}, {'src_lang': 'en_XX', 'tgt_lang': 'de_DE'},
     {'vocab_size': 260})
make('t5', T5Tokenizer, 'spiece.model', {'extra_ids': 10}, {}, {'vocab_size': 260, 'pad_id': 0, 'eos_id': 1, 'unk_id': 2, 'bos_id': -1})
