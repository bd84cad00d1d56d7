import BitplanSentencePieceBridge
import Foundation

/// A SentencePiece model, which cuts text into pieces by its own normalization and scores.
///
/// - Source: Kudo and Richardson 2018; the library is Google's.
final class SentencePieceModel: @unchecked Sendable {
    // Immutable after loading, and the library's encode and decode are const: safe to share.
    private let model: OpaquePointer

    private static var emptyMessage: [CChar] { [CChar](repeating: 0, count: Int(SPB_ERROR_CAPACITY)) }

    /// Reads an .spm file.
    init(file: URL) throws(TokenizerError) {
        let bytes = try TokenizerError.read(file)
        if let problem = CharacterMapCheck.problem(inModel: bytes) {
            throw .malformed(file: file.path, offset: nil, reason: "not a SentencePiece model: \(problem)")
        }
        var message = Self.emptyMessage
        guard let model = bytes.withUnsafeBytes({ spb_load($0.baseAddress, $0.count, &message) }) else {
            let reason = String(
                decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw .malformed(file: file.path, offset: nil, reason: "not a SentencePiece model: \(reason)")
        }
        self.model = model
    }

    deinit { spb_free(model) }

    /// The pieces of a UTF-8 text; nil where the library fails, which a sound model does on no text.
    func pieces(of text: ArraySlice<UInt8>) -> [[UInt8]]? {
        collect { context, receive, message in
            text.withUnsafeBytes { text in
                let start = text.baseAddress?.assumingMemoryBound(to: CChar.self)
                return spb_encode(model, start, text.count, context, receive, message)
            }
        }
    }

    /// The text that `pieces` stand for; nil where the library fails.
    func text(of pieces: [[UInt8]]) -> [UInt8]? {
        var ends: [Int] = []
        var bytes: [UInt8] = []
        for piece in pieces {
            bytes += piece
            ends.append(bytes.count)
        }
        return collect { context, receive, message in
            bytes.withUnsafeBytes { bytes in
                let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
                return spb_decode(model, start, ends, ends.count, context, receive, message)
            }
        }?.first
    }

    /// What `body` hands to its receiver; nil where it returns false.
    private func collect(
        _ body: (UnsafeMutableRawPointer, spb_receiver, UnsafeMutablePointer<CChar>) -> Bool
    ) -> [[UInt8]]? {
        var received: [[UInt8]] = []
        var message = Self.emptyMessage
        let done = withUnsafeMutablePointer(to: &received) { context in
            body(
                UnsafeMutableRawPointer(context),
                { context, bytes, length in
                    let run = Array(UnsafeRawBufferPointer(start: bytes, count: length))
                    context.assumingMemoryBound(to: [[UInt8]].self).pointee.append(run)
                }, &message)
        }
        return done ? received : nil
    }
}
