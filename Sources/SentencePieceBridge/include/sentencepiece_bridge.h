// A C face of the SentencePiece library: load a model, cut text into pieces, join pieces into text.
//
// No C++ exception leaves these functions: what fails returns false (or NULL) and writes one line to `error`,
// a buffer of `SPB_ERROR_CAPACITY` bytes that the caller owns. A loaded model is immutable and may be used
// from several threads at once.
#ifndef SENTENCEPIECE_BRIDGE_H
#define SENTENCEPIECE_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#define SPB_NOEXCEPT noexcept
#else
#define SPB_NOEXCEPT
#endif

enum { SPB_ERROR_CAPACITY = 256 };

/// A loaded SentencePiece model.
typedef struct spb_model spb_model;

/// Receives one piece or text: a run of UTF-8 bytes, valid only during the call.
typedef void (*spb_receiver)(void *_Nonnull context, const char *_Nonnull bytes, size_t length);

/// Reads a serialized model (the content of an .spm file). NULL where it is not one.
spb_model *_Nullable spb_load(const void *_Nullable bytes, size_t length, char *_Nonnull error) SPB_NOEXCEPT;

/// Gives a model back; NULL is none.
void spb_free(spb_model *_Nullable model) SPB_NOEXCEPT;

/// Cuts `text` into pieces and hands each to `receive`, in order.
bool spb_encode(const spb_model *_Nonnull model, const char *_Nullable text, size_t length, void *_Nonnull context,
                spb_receiver _Nonnull receive, char *_Nonnull error) SPB_NOEXCEPT;

/// Joins `count` pieces, laid end to end in `bytes`, piece i ending before offset `ends[i]`; hands the text
/// to `receive` once.
bool spb_decode(const spb_model *_Nonnull model, const char *_Nullable bytes, const size_t *_Nonnull ends, size_t count,
                void *_Nonnull context, spb_receiver _Nonnull receive, char *_Nonnull error) SPB_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
