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
    private let offsets: [Int]
    private let tokens: [Int]

    private static let mark: UInt64 = 0xF11A_48D5_0134_17F5

    /// Reads the file and checks its checksum.
    ///
    /// - Throws: `FileError` where it is no shortlist, truncated, of another checksum, or its offsets do not
    ///   rise.
    package init(_ file: URL) throws(FileError) {
        let data = try FileError.read(file)
        func word(_ index: Int) -> UInt64 {
            data.withUnsafeBytes {
                UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
            }
        }
        guard data.count >= 48, word(0) == Self.mark else {
            throw FileError(file, "is no shortlist: expected Marian's binary form")
        }
        let (offsets, tokens) = (word(4), word(5))
        guard word(2) < 1 << 32, offsets >= 1, offsets < 1 << 32, tokens < 1 << 40,
            UInt64(data.count) == 48 + 8 * offsets + 4 * tokens
        else {
            throw FileError(
                file,
                "has \(data.count) bytes, expected 48 + 8 x \(offsets) offsets + 4 x \(tokens) tokens")
        }
        var hash: UInt64 = 0
        for index in 2..<data.count / 8 {
            hash ^= word(index) &+ 0x9E37_79B9 &+ (hash << 6) &+ (hash >> 2)
        }
        guard hash == word(1) else { throw FileError(file, "is damaged: another checksum than it says") }
        self.file = file
        frequent = Int(word(2))
        self.offsets = (0..<Int(offsets)).map { Int(truncatingIfNeeded: word(6 + $0)) }
        let start = 48 + 8 * Int(offsets)
        self.tokens = data.withUnsafeBytes { raw in
            (0..<Int(tokens)).map {
                Int(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: start + 4 * $0, as: UInt32.self)))
            }
        }
        guard self.offsets.first == 0, self.offsets.last == self.tokens.count,
            zip(self.offsets, self.offsets.dropFirst()).allSatisfy({ $0 <= $1 })
        else { throw FileError(file, "its offsets do not rise from 0 to its \(tokens) tokens") }
    }

    /// Refuses a shortlist that was made for other vocabularies.
    ///
    /// - Throws: `FileError` where source tokens or target tokens are others.
    package func check(source: Int, target: Int) throws(FileError) {
        guard offsets.count == source + 1 else {
            throw FileError(
                file,
                "is for a vocabulary of \(offsets.count - 1) source tokens, the model's has \(source)")
        }
        if frequent > target || tokens.contains(where: { $0 >= target }) {
            throw FileError(
                file,
                "has target token \(max(frequent - 1, tokens.max() ?? 0)), the model's vocabulary \(target) tokens"
            )
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
            for place in offsets[token]..<offsets[token + 1] { isAllowed[tokens[place]] = true }
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
