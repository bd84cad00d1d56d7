#include "sentencepiece_bridge.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

struct spb_model {
    sentencepiece::SentencePieceProcessor processor;
};

namespace {

/// Writes `message` as one line that ends inside the caller's buffer.
void report(const char *message, char *error) noexcept {
    size_t length = std::min<size_t>(std::strlen(message), SPB_ERROR_CAPACITY - 1);
    std::memcpy(error, message, length);
    std::replace(error, error + length, '\n', ' ');
    error[length] = '\0';
}

/// Runs `body`, which returns a SentencePiece status; false with a message where it fails or throws.
template <typename Body>
bool guarded(char *error, Body body) noexcept {
    try {
        const sentencepiece::util::Status status = body();
        if (status.ok()) return true;
        report(status.ToString().c_str(), error);
    } catch (const std::exception &exception) {
        report(exception.what(), error);
    } catch (...) {
        report("unknown C++ exception", error);
    }
    return false;
}

}  // namespace

spb_model *spb_load(const void *bytes, size_t length, char *error) noexcept {
    std::unique_ptr<spb_model> model;
    const bool loaded = guarded(error, [&] {
        model = std::make_unique<spb_model>();
        return model->processor.LoadFromSerializedProto({static_cast<const char *>(bytes), length});
    });
    return loaded ? model.release() : nullptr;
}

void spb_free(spb_model *model) noexcept { delete model; }

bool spb_encode(const spb_model *model, const char *text, size_t length, void *context, spb_receiver receive,
                char *error) noexcept {
    return guarded(error, [&] {
        std::vector<std::string> pieces;
        const auto status = model->processor.Encode({text, length}, &pieces);
        if (status.ok())
            for (const std::string &piece : pieces) receive(context, piece.data(), piece.size());
        return status;
    });
}

bool spb_decode(const spb_model *model, const char *bytes, const size_t *ends, size_t count, void *context,
                spb_receiver receive, char *error) noexcept {
    return guarded(error, [&] {
        std::vector<std::string> pieces;
        pieces.reserve(count);
        size_t start = 0;
        for (size_t i = 0; i < count; start = ends[i++]) pieces.emplace_back(bytes + start, ends[i] - start);
        std::string text;
        const auto status = model->processor.Decode(pieces, &text);
        if (status.ok()) receive(context, text.data(), text.size());
        return status;
    });
}
