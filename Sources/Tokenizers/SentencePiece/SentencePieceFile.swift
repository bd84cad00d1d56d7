import Foundation

/// What an .spm file says, read without the SentencePiece library: a protobuf message.
///
/// - Source: sentencepiece_model.proto.
enum SentencePieceFile {
    /// The pieces in the order of their ids: `pieces` (field 1), and in each of them `piece` (field 1).
    ///
    /// - Throws: `TokenizerError` where the message is damaged.
    static func pieces(_ bytes: [UInt8], _ file: URL) throws(TokenizerError) -> [[UInt8]] {
        guard let fields = delimitedFields(of: bytes[...]) else {
            throw .malformed(file: file.path, offset: nil, reason: "not a SentencePiece model")
        }
        var pieces: [[UInt8]] = []
        for (number, message) in fields where number == 1 {
            guard let piece = delimitedFields(of: message)?.last(where: { $0.0 == 1 }) else {
                throw .malformed(
                    file: file.path, offset: nil, reason: "piece \(pieces.count) of the model is damaged")
            }
            pieces.append(Array(piece.1))
        }
        return pieces
    }

    /// The length-delimited fields of a protobuf message; nil where it is not one.
    static func delimitedFields(of message: ArraySlice<UInt8>) -> [(Int, ArraySlice<UInt8>)]? {
        var rest = message
        func varint() -> UInt64? {
            var value: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 70, by: 7) {
                guard let byte = rest.popFirst() else { return nil }
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return value }
            }
            return nil
        }
        var fields: [(Int, ArraySlice<UInt8>)] = []
        while !rest.isEmpty {
            guard let tag = varint() else { return nil }
            let length: UInt64
            switch tag & 7 {
            case 0:
                guard varint() != nil else { return nil }
                continue
            case 1: length = 8
            case 2:
                guard let value = varint() else { return nil }
                length = value
            case 5: length = 4
            default: return nil
            }
            guard length <= UInt64(rest.count) else { return nil }
            let content = rest.prefix(Int(length))
            rest = rest.dropFirst(Int(length))
            if tag & 7 == 2 { fields.append((Int(truncatingIfNeeded: tag >> 3), content)) }
        }
        return fields
    }
}
