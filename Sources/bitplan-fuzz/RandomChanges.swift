import BitplanTensors
import Foundation

/// Random changes of files, for builds without libFuzzer: what `make check` has of it.
struct RandomChanges {
    /// No input takes longer, in seconds.
    private static let patience: UInt32 = 5
    /// Bytes at which lengths, counts and signs go wrong.
    private static let bytes: [UInt8] = [0x00, 0x01, 0x0A, 0x20, 0x22, 0x7F, 0x80, 0xC3, 0xFF]
    /// The same for whole numbers of the bytes of files.
    private static let numbers: [Int64] = [0, 1, -1, 0x7F, 0xFFFF, 1 << 31, 1 << 32, 1 << 40, .max, .min]
    /// The same for numbers in texts, and values in their place.
    private static let texts = [
        "-1", "0", "1e308", "1e999", "0.5", "\(Int.max)", "4294967296", "null", "[]", "{}",
    ]

    /// The files, unchanged.
    private let files: [[UInt8]]
    /// What changes insert: words of the files, and numbers.
    private let words: [[UInt8]]
    /// Bytes of the longest input.
    private let longest: Int

    /// Reads the files.
    init(of files: [URL]) throws {
        self.files = try files.map { [UInt8](try Data(contentsOf: $0)) }
        let words = Set(
            self.files.flatMap { file in
                file.split { !(0x61...0x7A).contains($0 | 0x20) && $0 != 0x5F }.filter {
                    (3...24).contains($0.count)
                }
            }.map { String(decoding: $0, as: UTF8.self) })
        self.words = (words.sorted() + Self.texts).map { [UInt8]($0.utf8) }
        longest = 2 * (self.files.map(\.count).max() ?? 0)
    }

    /// Has every file read as it is, then changes of them for these seconds, the same ones for the same seed.
    ///
    /// An input that crashes or takes too long ends the process; it lies in `input` of the directory of
    /// temporary files then.
    /// - Returns: how many inputs were read.
    func read(by workspace: FuzzWorkspace, seed: UInt64, seconds: Double) throws -> Int {
        let kept = FileManager.default.temporaryDirectory.appending(path: "input")
        let end = ContinuousClock.now + .seconds(seconds)
        var count = 0
        func read(_ input: [UInt8]) throws {
            try Data(input).write(to: kept)
            alarm(Self.patience)
            input.withUnsafeBytes { workspace.read($0) }
            alarm(0)
            count += 1
        }
        for file in files { try read(file) }
        var generator = SeededGenerator(seed: seed)
        while ContinuousClock.now < end, !files.isEmpty { try read(change(&generator)) }
        return count
    }

    /// One of the files, changed at one to sixteen places.
    private func change(_ generator: inout SeededGenerator) -> [UInt8] {
        var input = files[generator.index(below: files.count)]
        for _ in 0..<1 << generator.index(below: 5) {
            let place = generator.index(below: input.count + 1)
            let length = min(1 + generator.index(below: 64), input.count - place)
            switch generator.index(below: 8) {
            case 0 where length > 0: input[place] ^= 1 << UInt8(generator.index(below: 8))
            case 1 where length > 0: input[place] = Self.bytes[generator.index(below: Self.bytes.count)]
            case 2: input.removeSubrange(place..<place + length)
            case 3: input.insert(contentsOf: input[place..<place + length], at: place)
            case 4: input.insert(contentsOf: words[generator.index(below: words.count)], at: place)
            case 5:
                let number = Self.numbers[generator.index(below: Self.numbers.count)]
                let size = min(1 << generator.index(below: 4), input.count - place)
                withUnsafeBytes(of: number.littleEndian) {
                    input.replaceSubrange(place..<place + size, with: $0.prefix(size))
                }
            case 6:
                // The next number of a text.
                guard let start = input[place...].firstIndex(where: Self.isDigit) else { continue }
                let end = input[start...].firstIndex { !Self.isDigit($0) } ?? input.count
                let text = Self.texts[generator.index(below: Self.texts.count)]
                input.replaceSubrange(start..<end, with: text.utf8)
            case 7:
                let other = files[generator.index(below: files.count)]
                input.replaceSubrange(place..., with: other.dropFirst(place))
            default: continue
            }
        }
        return Array(input.prefix(longest))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
