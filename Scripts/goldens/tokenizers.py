#!/usr/bin/env python3
"""Small tokenizers and what the reference implementations make of hostile strings with them.

usage: tokenizers.py [OUT]      (default: Tests/TokenizersTests/Goldens beside this script)
needs: pip install tokenizers==0.23.3 transformers==5.23.0 sentencepiece==0.2.3; no sacremoses

OUT/texts.json     the strings: hand-picked ones and seeded random ones from characters that implementations disagree on
OUT/scalars.json   by tokenizer: for each of BLOCKS, 1024 scalars, the FNV-1a hash of the ids of a text made of them
OUT/<name>/        a tokenizer's own files and golden.json, lists as long as texts.json unless said otherwise:
  marian*          source: ids, null where two segmentations tie; target: ids; decoded: [ids and random ids, text]
  wordpiece*       ids; decoded; strays: [random ids, text]; pairs: [first, second, maximum length or null, ids, type ids]
  bpe-*            ids; decoded, special tokens left out; strays: [random ids, text]
  sp-*, unigram*   the same: SentencePiece's way in tokenizer.json
  roberta, unigram the same, and pairs as those of wordpiece
"""
import io
import json
import os
import random
import sys

if os.path.dirname(os.path.abspath(__file__)) in sys.path:
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))  # this file is called like the library

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertTokenizer, MarianTokenizer

here = os.path.dirname(os.path.abspath(__file__))
out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, '../../Tests/TokenizersTests/Goldens')

CORPUS = """The quick brown fox jumps over the lazy dog, and the dog doesn't mind.
A model that has been squeezed too far forgets the rarest words first.
Translation is what remains when the words are gone; we'll see, they said, and they've seen it.
In 1998 the river rose by 12.5 metres within 3 days, 250 houses were lost.
Measure twice, cut once: the smallest loss isn't always the cheapest one.
She's reading, he'd rather sleep, I'm writing, you're listening.
Der schnelle braune Fuchs springt über den faulen Hund, größer als je zuvor.
Das Maß der Dinge ist die Größe der Datei und die Güte der Übersetzung.
Wörter, die selten sind, werden zuerst vergessen; das müßte man messen können.
Un café, s'il vous plaît, et un thé à la crème pour l'élève.
模型太大的时候就要压缩。 翻译的质量要先测量。
Быстрая лиса прыгает через ленивую собаку.
tokenizers tokenize tokens, tokenization makes tokens of words
quantize quantizes quantized quantizing quantization of weights
""".strip().split('\n')

HAND = ['', ' ', '  ', 'a', '\t\n', 'HELLO World', 'naïve café', 'nai\u0308ve cafe\u0301', 'ＦＵＬＬ ｗｉｄｔｈ', '中文 mixed 文字', 'x' * 101, 'x' * 100,
        "don't can't 's 'S 'LL we'll I'M you'Re 'ſ 'lL 'd'D 'v 've'", '1,234.56 $9.99 100%', '12345678901234567890', '😀 emoji 👩‍👩‍👧', 'ﬁ ligature ß ẞ İ ı ǅ', 'Ⅷ ½ ²',
        '\u200bzero\u200bwidth', '\ufeffbom', 'a\u0000b', 'a\ufffdb', 'نص عربي', 'ไทย', '한국어', '\u1112\u1161\u11ab', 'हिन्दी', '[CLS] [SEP] [MASK] [UNK] [PAD]', '##ing', '</s> <unk><pad> </s>',
        '<|begin|>text<|end|> <|end|>', '...!!!???', '“quotes” ‘single’', '\u0301combining first', 'O\u0338', '𝔘𝔫𝔦', ' leading and trailing ', 'two  spaces   three ',
        'line\nbreak\r\ncrlf\n\n\nmany \n \r x', '▁ already ▁', '\u2028ls\u2029ps\x85nel', '\u1680\u3000spaces', '>>deu<< Hello', ' >>deu<< Hello', '>>deu<<', '>>nope<< x', '>>deu Hello', '>><<',
        '>>>deu<<<', '</s>>>deu<< x', 'tokenization quantizing', 'The quick brown fox', 'Größe der Übersetzung', 'a b', 'wide  token', 'wide<mask> token <mask>  x', 'onlyword only word only', 'Straße STRASSE']

rng = random.Random(20240607)
SPACES = [' ', ' ', ' ', '  ', '\n', '\r\n', '\t', '\x0b', '\x1c', '\x85', '\xa0', '\u1680', '\u2003', '\u2028', '\u202f', '\u3000', '\u200b']
MARKS = ['\u0301', '\u0308', '\u0323', '\u0327', '\u0338', '\u0345', '\u05b0', '\u064b', '\u0734', '\u093c', '\u0e38', '\u1734', '\u171d', '\u1885', '\ua9bd', '\U0001171e', '\U000111c9', '\u1ac1', '\U0001e08f', '\U00010efd',
         '\u3099', '\u20dd', '\u0903', '\u08d4', '\u1df6']
OTHERS = list('abcdefgstmlvrzSTMDLV') + ['é', 'e\u0301', 'ö', 'ß', 'ſ', 'İ', 'ı', 'ǅ', 'Ω', '\u2126', 'д', 'Й', 'ي', '中', '文', '\u3400', '\u9fff', '\uf900', '\U0002b820', '\U0002f800', 'か', '\uff76', '\uff9e', '한', '\u1100',
         '\u1161', '\u11a8', '\u0958', '\u0f73', '\u0344', '\U00011935', '\U00011930', '\U00011938', '\U000105d2\u0307', '\U000105c9', '\u212b', 'ﬁ', '\ufdfa', '\U0001d15e', '\u0295', '\U00016ea0', '\u2c2f']
DIGITS = list('0123456789') + ['²', '½', 'Ⅷ', '٣', '一', '\U00011de0', '\U0001d7ce']
SYMBOLS = list("'''!\"#$%&()*+,-./:;<=>?@[]^_`{|}~") + ["'s", "'LL", "'Ve", "'ſ", '…', '«', '·', '€', '☃', '😀', '\u166d', '\u05c0', '\u2e52', '\u061d', '\u00ad', '\u061c', '\ue000', '\U000f0000', '\ufffd', '\x00', '\x7f', '\u0378', '\U000e0001', '▁', 'Ġ']
TOKENS = ['[CLS]', '[MASK]', '</s>', '<unk>', '<pad>', '<|begin|>', '<|end|>', '<mask>', 'only', 'wide token', '>>deu<<', '##', 'the ', 'token', 'quantiz']


def random_text():
    parts = []
    for _ in range(rng.randint(1, 14)):
        kind = rng.random()
        pool = OTHERS if kind < 0.42 else SPACES if kind < 0.6 else DIGITS if kind < 0.7 else SYMBOLS if kind < 0.82 else MARKS if kind < 0.92 else TOKENS
        parts.append(rng.choice(pool))
        if rng.random() < 0.2:
            parts.append(parts[-1] * rng.randint(1, 4))
    return ''.join(parts)


texts = HAND + [random_text() for _ in range(int(os.environ.get('RANDOM_TEXTS', 350)))]


def save(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(value, file, ensure_ascii=True, separators=(',', ':'))
        file.write('\n')


# Marian: two small SentencePiece models and a vocabulary that leaves out some of their pieces.
def sentencepiece_model(path, **options):
    written = io.BytesIO()  # a file's name would become part of the model
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 3), model_writer=written, hard_vocab_limit=False, minloglevel=2, character_coverage=1.0, num_threads=1, **options)
    with open(path, 'wb') as file:
        file.write(written.getvalue())
    return sentencepiece.SentencePieceProcessor(model_file=path)


def marian(name, config, separate=False):
    folder = f'{out}/{name}'
    os.makedirs(folder, exist_ok=True)
    rules = 'rules.tsv'  # in the working directory: its path becomes part of the model
    with open(rules, 'w') as file:  # normalizations: full width, ligature, composition, a run of two
        file.write('FF26\t46\nFF35\t55\nFF2C\t4C\nFB01\t66 69\n65 301\tE9\n2167\t56 49 49 49\nA0\t20\n3000\t20\n9\t20\nA\t20\nD\t20\n2E 2E 2E\t2026\n')
    source = sentencepiece_model(f'{folder}/source.spm', vocab_size=260, normalization_rule_tsv=rules)
    target = sentencepiece_model(f'{folder}/target.spm', vocab_size=200, model_type='bpe', normalization_rule_name='identity', user_defined_symbols=['é', 'e\u0301'])
    os.unlink(rules)
    kept = ['</s>', '<unk>']
    for model in (source, target):
        kept += [p for p in (model.id_to_piece(i) for i in range(model.get_piece_size())) if p not in kept and p not in ('<s>', 'Q', '模', '▁lazy')]
    kept += ['>>deu<<', '>>fra<<', '<pad>']
    save(f'{folder}/vocab.json', {token: i for i, token in enumerate(kept)})
    other = kept
    if separate:
        other = kept[:2] + kept[2:-1][::-1] + kept[-1:]
        save(f'{folder}/target_vocab.json', {token: i for i, token in enumerate(other)})
    save(f'{folder}/tokenizer_config.json', config)
    tokenizer = MarianTokenizer.from_pretrained(folder)
    # Unigram segmentations of equal score are ordered differently by different versions of the library.
    def ties(text):
        best = source.nbest_encode(text, nbest_size=2, out_type=str)
        scores = [sum(source.get_score(source.piece_to_id(p)) - 20 * source.is_unknown(source.piece_to_id(p)) for p in pieces) for pieces in best]
        return len(scores) > 1 and abs(scores[0] - scores[1]) < 1e-3
    decoded = []
    for text in texts[:120]:
        ids = tokenizer(text_target=text)['input_ids']
        ids += [rng.randrange(len(other)) for _ in range(rng.randint(0, 8))]
        decoded.append([ids, tokenizer.decode(ids, skip_special_tokens=True)])
    save(f'{folder}/golden.json', {
        'source': [None if ties(t) else tokenizer(t)['input_ids'] for t in texts], 'target': [tokenizer(text_target=t)['input_ids'] for t in texts],
        'decoded': decoded, 'endID': tokenizer.eos_token_id, 'unknownID': tokenizer.unk_token_id, 'paddingID': tokenizer.pad_token_id})


marian('marian', {'source_lang': 'en', 'target_lang': 'de', 'model_max_length': 5})
marian('marian-clean', {'tokenizer_class': 'MarianTokenizer', 'clean_up_tokenization_spaces': True, 'split_special_tokens': True, 'separate_vocabs': False, 'eos_token': {'__type': 'AddedToken', 'content': '</s>', 'lstrip': False, 'rstrip': False, 'single_word': False, 'normalized': False},
                        'unk_token': '<unk>', 'pad_token': '<pad>', 'sp_model_kwargs': {}})
marian('marian-separate', {'separate_vocabs': True}, separate=True)


# WordPiece: one vocabulary, every switch.
def wordpiece(name, config, tokenizer_json=False):
    folder = f'{out}/{name}'
    os.makedirs(folder, exist_ok=True)
    lower = config.get('do_lower_case', True)
    strip = config.get('strip_accents', lower)
    normalizer = normalizers.BertNormalizer(lowercase=lower, strip_accents=strip, handle_chinese_chars=config.get('tokenize_chinese_chars', True))
    words = [w for w, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(normalizer.normalize_str('\n'.join(CORPUS)))]
    # Nearly every scalar of the strings has a piece: otherwise most words would be [UNK] and show little.
    letters = sorted(c for c in set(''.join(words + OTHERS + DIGITS + SYMBOLS + MARKS)) if c.strip() and c != '\0')
    pieces = [w for w in words if len(w) > 3] + ['the', 'quant', 'token', 'x' * 40] + ['##' + p for p in letters + ['ing', 'ed', 'ize', 'ization', 'es', 'x' * 30]]
    tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + letters + sorted(set(pieces))
    with open(f'{folder}/vocab.txt', 'w', encoding='utf-8') as file:
        file.write('\n'.join(tokens) + '\n')
    save(f'{folder}/tokenizer_config.json', config)
    tokenizer = BertTokenizer.from_pretrained(folder)
    if tokenizer_json:
        os.unlink(f'{folder}/vocab.txt')
        tokenizer.backend_tokenizer.save(f'{folder}/tokenizer.json', pretty=False)
    ids = [tokenizer(t)['input_ids'] for t in texts]
    pairs = []
    for _ in range(80):
        a, b = rng.choice(texts), rng.choice(texts)
        limit = rng.choice([None, 3, 4, 5, 6, 7, 8, 11, 16])
        kwargs = {} if limit is None else {'truncation': 'longest_first', 'max_length': limit}
        both = tokenizer(a, b, **kwargs)
        pairs.append([a, b, limit, both['input_ids'], both['token_type_ids']])
    strays = [[rng.randrange(len(tokens)) for _ in range(rng.randint(1, 12))] for _ in range(80)]
    decode = lambda i: tokenizer.decode(i, skip_special_tokens=True)
    save(f'{folder}/golden.json', {'ids': ids, 'decoded': [decode(i) for i in ids], 'strays': [[i, decode(i)] for i in strays], 'pairs': pairs})


wordpiece('wordpiece', {})
wordpiece('wordpiece-cased', {'do_lower_case': False, 'tokenizer_class': 'BertTokenizer'})
wordpiece('wordpiece-accents', {'do_lower_case': True, 'strip_accents': False, 'tokenize_chinese_chars': False})
wordpiece('wordpiece-json', {'do_lower_case': False, 'strip_accents': True}, tokenizer_json=True)

# Byte-level BPE: one set of merges, the common ways around it.
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r'\p{N}{1,3}', r'\p{N}')
level = pre_tokenizers.ByteLevel


def byte_level(name, pre, normalizer=None, ignore_merges=False, template=None, added=()):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer, tokenizer.decoder = pre, decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS * 3, trainers.BpeTrainer(vocab_size=460, special_tokens=['<|begin|>', '<|end|>'], initial_alphabet=level.alphabet(), show_progress=False))
    if template is not None:
        tokenizer.post_processor = template
    if added:
        tokenizer.add_tokens(list(added))
    folder = f'{out}/{name}'
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(f'{folder}/tokenizer.json', pretty=False)
    ids = [tokenizer.encode(t).ids for t in texts]
    strays = [[rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randint(1, 12))] for _ in range(80)]
    save(f'{folder}/golden.json', {'ids': ids, 'decoded': [tokenizer.decode(i) for i in ids], 'strays': [[i, tokenizer.decode(i)] for i in strays]})


begin_end = processors.TemplateProcessing(single='<|begin|> $A <|end|>', pair='<|begin|> $A <|end|> $B', special_tokens=[('<|begin|>', 0), ('<|end|>', 1)])
split = lambda pattern: pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), 'isolated'), level(add_prefix_space=False, use_regex=False)])
byte_level('bpe-gpt2', level(add_prefix_space=False))
byte_level('bpe-llama3', split(LLAMA3), ignore_merges=True, template=processors.Sequence([processors.ByteLevel(trim_offsets=False), begin_end]))
byte_level('bpe-qwen2', split(QWEN2), normalizer=normalizers.NFC())
byte_level('bpe-smollm', pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level(add_prefix_space=True)]))
byte_level('bpe-normalized', pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=False), level(add_prefix_space=True)]), normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]), template=begin_end,
           added=[AddedToken('<mask>', lstrip=True, rstrip=True, special=True, normalized=False), AddedToken('only', single_word=True), AddedToken('Wide Token'), AddedToken('wide'), AddedToken('[MASK]', normalized=False, rstrip=True)])



# SentencePiece's way to write BPE: characters, a sign for spaces, bytes for what has no token. Merges are trained on words, and run over whole texts.
def written(name, tokenizer, pairs=False):
    folder = f'{out}/{name}'
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(f'{folder}/tokenizer.json', pretty=False)
    ids = [tokenizer.encode(t).ids for t in texts]
    strays = [[rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randint(1, 12))] for _ in range(80)]
    golden = {'ids': ids, 'decoded': [tokenizer.decode(i) for i in ids], 'strays': [[i, tokenizer.decode(i)] for i in strays]}
    if pairs:
        golden['pairs'] = []
        for _ in range(80):
            a, b, limit = rng.choice(texts), rng.choice(texts), rng.choice([None, 4, 5, 6, 7, 8, 11, 16])
            tokenizer.enable_truncation(limit, strategy='longest_first') if limit else tokenizer.no_truncation()
            both = tokenizer.encode(a, b)
            golden['pairs'].append([a, b, limit, both.ids, both.type_ids])
        tokenizer.no_truncation()
    save(f'{folder}/golden.json', golden)


trained = Tokenizer(models.BPE())
trained.pre_tokenizer = pre_tokenizers.Metaspace(replacement='▁', prepend_scheme='always')
trained.train_from_iterator(CORPUS * 3, trainers.BpeTrainer(vocab_size=300, show_progress=False))
trained = json.loads(trained.to_str())['model']


def characters(name, byte_tokens=range(256), fallback=True, fuse=True, normalizer=None, pre=None, decoder=None):
    kept = ['<unk>', '<s>', '</s>'] + [f'<0x{b:02X}>' for b in byte_tokens] + list(trained['vocab'])
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(kept)}, merges=[tuple(m) for m in trained['merges']], unk_token='<unk>', byte_fallback=fallback, fuse_unk=fuse))
    tokenizer.add_special_tokens(['<unk>', '<s>', '</s>'])
    tokenizer.add_tokens([AddedToken('<|begin|>', special=True, normalized=False), AddedToken('wide token', normalized=True)])
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre is not None:
        tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoder or decoders.Sequence([decoders.Replace('▁', ' '), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(' ', 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single='<s> $A', pair='<s> $A <s>:1 $B:1', special_tokens=[('<s>', 1)])
    written(name, tokenizer)


metaspace = pre_tokenizers.Metaspace
characters('sp-llama', normalizer=normalizers.Sequence([normalizers.Prepend('▁'), normalizers.Replace(' ', '▁')]))
characters('sp-first', pre=metaspace(replacement='▁', prepend_scheme='first', split=False))
characters('sp-unknown', byte_tokens=[b for b in range(256) if b not in (0xE4, 0xCC, 0xF0, 0x0A)], pre=metaspace(replacement='▁', prepend_scheme='never', split=True),
           decoder=decoders.Metaspace(replacement='▁', prepend_scheme='never'))
characters('sp-single', fallback=False, fuse=False, pre=metaspace(replacement='▁', prepend_scheme='always', split=True), decoder=decoders.Metaspace(replacement='▁', prepend_scheme='always'))


def unigram(name, normalizer, pre, decoder, **options):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = metaspace(replacement='▁', prepend_scheme='always')
    tokenizer.train_from_iterator(CORPUS * 3, trainers.UnigramTrainer(vocab_size=280, special_tokens=['<s>', '<pad>', '</s>', '<unk>'], unk_token='<unk>', show_progress=False))
    pieces = json.loads(tokenizer.to_str())['model']['vocab']
    if options:
        pieces += [[f'<0x{b:02X}>', 0.0] for b in range(256)]
    tokenizer = Tokenizer(models.Unigram([tuple(p) for p in pieces], unk_id=3, **options))
    tokenizer.add_special_tokens(['<s>', '<pad>', '</s>', '<unk>', AddedToken('<mask>', lstrip=True)])
    tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = normalizer, pre, decoder
    tokenizer.post_processor = processors.TemplateProcessing(single='<s> $A </s>', pair='<s> $A </s> </s> $B </s>', special_tokens=[('<s>', 0), ('</s>', 2)])
    written(name, tokenizer, pairs=True)


def character_map(path):
    """The compiled map of a SentencePiece model: field 2 (precompiled_charsmap) of field 3 (normalizer_spec)."""
    def field(message, wanted):
        def varint():
            nonlocal place
            value = shift = 0
            while True:
                byte = message[place]
                place, value, shift = place + 1, value | (byte & 127) << shift, shift + 7
                if byte < 128:
                    return value
        place = 0
        while place < len(message):
            tag = varint()
            if tag & 7 == 0:
                varint()
                continue
            length = varint() if tag & 7 == 2 else {1: 8, 5: 4}[tag & 7]
            if tag >> 3 == wanted:
                return message[place:place + length]
            place += length

    with open(path, 'rb') as file:
        return field(field(file.read(), 3), 2)


unigram('unigram', normalizers.Precompiled(character_map(f'{out}/marian/source.spm')), pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace(replacement='▁', prepend_scheme='always')]),
        decoders.Metaspace(replacement='▁', prepend_scheme='always'))
unigram('unigram-bytes', normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(' {2,}'), ' ')]), metaspace(replacement='▁', prepend_scheme='first'),
        decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(replacement='▁', prepend_scheme='always')]), byte_fallback=True)

roberta = Tokenizer(models.BPE(continuing_subword_prefix='', end_of_word_suffix=''))
roberta.pre_tokenizer, roberta.decoder = level(add_prefix_space=False), decoders.ByteLevel()
roberta.train_from_iterator(CORPUS * 3, trainers.BpeTrainer(vocab_size=380, special_tokens=['<s>', '<pad>', '</s>', '<unk>'], initial_alphabet=level.alphabet(), show_progress=False))
roberta.add_special_tokens([AddedToken('<mask>', lstrip=True)])
roberta.post_processor = processors.RobertaProcessing(('</s>', 2), ('<s>', 0), trim_offsets=True, add_prefix_space=False)
written('roberta', roberta, pairs=True)

# Where the assigned scalars are, the large uniform blocks (ideographs, Hangul, Egyptian, Tangut, private use) left out.
BLOCKS = [start for first, end in ((0x0, 0x3800), (0xA000, 0xB000), (0xF800, 0x13400), (0x16800, 0x17400), (0x1B000, 0x20400), (0xE0000, 0xE0400)) for start in range(first, end, 1024)]


def hash_of_block(encode, start):
    """The 32-bit FNV-1a hash over the ids, each as four bytes, of every scalar inside of words, alone and beside a token."""
    text = ''.join(f'a{c}b1{c} {c} only{c}' for c in map(chr, range(start, start + 1024)) if not 0xD800 <= ord(c) < 0xE000)
    value = 0x811C9DC5
    for byte in b''.join(i.to_bytes(4, 'little') for i in encode(text)):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


hashes = {}
for name in ('wordpiece', 'wordpiece-cased', 'bpe-llama3', 'bpe-normalized'):
    if name.startswith('bpe'):
        tokenizer = Tokenizer.from_file(f'{out}/{name}/tokenizer.json')
        encode = lambda text: tokenizer.encode(text).ids
    else:
        tokenizer = BertTokenizer.from_pretrained(f'{out}/{name}')
        encode = lambda text: tokenizer.backend_tokenizer.encode(text).ids
    hashes[name] = [hash_of_block(encode, start) for start in BLOCKS]
save(f'{out}/scalars.json', {'blocks': BLOCKS, 'hashes': hashes})
save(f'{out}/texts.json', texts)
print(len(texts), 'texts in', out)
