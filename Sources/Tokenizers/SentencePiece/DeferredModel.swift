import Foundation
import Synchronization

/// A SentencePiece model that is checked at once and takes memory (six times its file's size) only when it is
/// first used.
final class DeferredModel: Sendable {
    private let file: URL
    private let model = Mutex<SentencePieceModel?>(nil)

    /// Checks an .spm file by reading it.
    init(file: URL) throws(TokenizerError) {
        self.file = file
        _ = try SentencePieceModel(file: file)
    }

    /// The model, read where it is not there yet.
    func loaded() throws(TokenizerError) -> SentencePieceModel {
        try model.withLock { model throws(TokenizerError) in
            if let model { return model }
            let read = try SentencePieceModel(file: file)
            model = read
            return read
        }
    }
}
