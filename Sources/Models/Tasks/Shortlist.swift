import BitplanTensors
import Foundation

/// A lexical shortlist in Marian's binary form: for every source token, the target tokens that are likely in
/// its translation.
///
/// Six numbers of 8 bytes, little-endian: a mark, a checksum of all that follows, how many of the most
/// frequent target tokens always count, how many were kept a source token, the number of offsets (source
/// tokens and 1) and of target tokens; then the offsets, 8 bytes each, and the target tokens, 4 bytes each.
/// - Source: `src/data/shortlist.cpp` of browsermt/marian-dev.
package struct Shortlist: Sendable {
    /// The file.
    package let file: URL
    /// The most frequent target tokens, which always count.
    private let frequent: Int
    /// The number of source tokens.
    private let sources: Int
    /// The largest target token.
    private let largest: Int
    /// The file's bytes, which stay where they are.
    private let data: Data

    private static let mark: UInt64 = 0xF11A_48D5_0134_17F5
    private static let headerBytes = 48

    /// Reads the file and checks its checksum.
    ///
    /// - Throws: `FileError` where it is no shortlist, truncated, of another checksum, or its offsets do not
    ///   rise.
    package init(_ file: URL) throws(FileError) {
        let data = try FileError.read(file)
        guard data.count >= Self.headerBytes, Self.word(data, 0) == Self.mark else {
            throw FileError(file, "is no shortlist: expected Marian's binary form")
        }
        let (frequent, offsets, tokens) = (Self.word(data, 2), Self.word(data, 4), Self.word(data, 5))
        guard frequent < 1 << 32, offsets >= 1, offsets < 1 << 32, tokens < 1 << 40,
            UInt64(data.count) == UInt64(Self.headerBytes) + 8 * offsets + 4 * tokens
        else {
            throw FileError(
                file,
                "has \(data.count) bytes, expected \(Self.headerBytes) + 8 x \(offsets) offsets + 4 x \(tokens) tokens"
            )
        }
        var hash: UInt64 = 0
        for index in 2..<data.count / 8 {
            hash ^= Self.word(data, index) &+ 0x9E37_79B9 &+ (hash << 6) &+ (hash >> 2)
        }
        guard hash == Self.word(data, 1) else {
            throw FileError(file, "is damaged: another checksum than it says")
        }
        let (first, last) = (6, 5 + Int(offsets))
        guard Self.word(data, first) == 0, Self.word(data, last) == tokens,
            (first..<last).allSatisfy({ Self.word(data, $0) <= Self.word(data, $0 + 1) })
        else { throw FileError(file, "its offsets do not rise from 0 to its \(tokens) tokens") }
        self.file = file
        self.data = data
        self.frequent = Int(frequent)
        sources = Int(offsets) - 1
        let start = Self.headerBytes + 8 * Int(offsets)
        largest = (0..<Int(tokens)).reduce(Int(frequent) - 1) { max($0, Self.token(data, start + 4 * $1)) }
    }

    private static func word(_ data: Data, _ index: Int) -> UInt64 {
        data.withUnsafeBytes {
            UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        }
    }

    private static func token(_ data: Data, _ position: Int) -> Int {
        data.withUnsafeBytes {
            Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
        }
    }

    /// Refuses a shortlist that was made for other vocabularies.
    ///
    /// - Throws: `FileError` where source tokens or target tokens are others.
    package func check(source: Int, target: Int) throws(FileError) {
        guard sources == source else {
            throw FileError(
                file, "is for a vocabulary of \(sources) source tokens, the model's has \(source)")
        }
        if largest >= target {
            throw FileError(
                file, "has target token \(largest), the model's vocabulary \(target) tokens")
        }
    }

    /// The target tokens that may stand in the translation of a source, in rising order: the most frequent
    /// ones, those of all source tokens, with one vocabulary the source tokens themselves; filled up with the
    /// next frequent ones to a multiple of 8, as Marian does.
    func candidates(_ source: [Int], vocabularySize: Int, isShared: Bool) -> [Int] {
        var isAllowed = [Bool](repeating: false, count: vocabularySize)
        for token in 0..<frequent { isAllowed[token] = true }
        for token in Set(source) {
            if isShared { isAllowed[token] = true }
            let start = Self.headerBytes + 8 * (sources + 1)
            for place in Int(Self.word(data, 6 + token))..<Int(Self.word(data, 7 + token)) {
                isAllowed[Self.token(data, start + 4 * place)] = true
            }
        }
        var count = isAllowed.reduce(0) { $0 + ($1 ? 1 : 0) }
        var next = frequent
        while count % 8 != 0, next < vocabularySize {
            if !isAllowed[next] {
                isAllowed[next] = true
                count += 1
            }
            next += 1
        }
        return isAllowed.indices.filter { isAllowed[$0] }
    }
}
