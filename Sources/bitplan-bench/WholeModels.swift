import BitplanEncoding
import BitplanLatency
import BitplanModels
import BitplanTensors
import Foundation

/// A translation model that decodes a fixed number of tokens: one line of the benchmark.
struct ModelRecord: Codable {
    /// The directory.
    let model: String
    /// Sentences at a time.
    let batch: Int
    /// Tokens of every target.
    let length: Int
    /// Source tokens of all sentences.
    let sourceTokens: Int
    /// Seconds of one batch, over all batches and repetitions.
    let seconds: Timing
    let tokensPerSecond: Double
    /// The median of how many times as fast as the first directory, batch by batch in the same repetition.
    let overFirst: Double
}

/// Whole translation models side by side: greedy decoding to a fixed length on one thread, in alternation
/// batch by batch.
struct WholeModels {
    let directories: [URL]
    let text: URL
    let sentences: Int
    let length: Int
    let batches: [Int]
    let repetitions: Int

    /// Checks every packed model against its decoded twin, then times all.
    func run() throws -> [ModelRecord] {
        var networks: [EncoderDecoderNetwork] = []
        var sources: [[Int]] = []
        for directory in directories {
            if try PackedModel<MarianFamily>.isPacked(directory) {
                let packed = try PackedModel<MarianFamily>(directory: directory)
                networks.append(try packed.network())
                if sources.isEmpty { sources = try read(packed.family) }
                try check(networks[networks.count - 1], try packed.network(decoded: true), sources, directory)
            } else {
                let model = try Model<MarianFamily>(directory: directory)
                networks.append(try model.network())
                if sources.isEmpty { sources = try read(model.family) }
            }
        }
        return try batches.flatMap { try time(networks, sources, batch: $0) }
    }

    private func read(_ family: MarianFamily) throws -> [[Int]] {
        try TextFile.lines(text).prefix(sentences).map { family.tokenizer.encodeSource($0) }
    }

    /// The packed network must generate what its decoded twin does, but where two tokens are nearly as
    /// likely.
    private func check(
        _ packed: EncoderDecoderNetwork, _ decoded: EncoderDecoderNetwork, _ sources: [[Int]],
        _ directory: URL
    ) throws {
        for source in sources.prefix(4) {
            let tokens = packed.greedy([source], forcedLength: length)[0]
            let twin = decoded.greedy([source], forcedLength: length)[0]
            guard tokens != twin else { continue }
            let same = zip(tokens, twin).prefix { $0 == $1 }.count
            let state = decoded.state([.init(source: source, target: twin)])
            let logits = decoded.logits(decoded.outputs(state))
            let gap = logits[same, twin[same]] - logits[same, tokens[same]]
            guard abs(gap) < 1e-2 else {
                throw CheckFailure(
                    description:
                        "\(directory.path): token \(same + 1): expected \(twin[same]) as its decoded twin, got \(tokens[same])"
                )
            }
        }
    }

    private func time(_ networks: [EncoderDecoderNetwork], _ sources: [[Int]], batch: Int) throws
        -> [ModelRecord]
    {
        let groups = stride(from: 0, to: sources.count, by: batch).map {
            Array(sources[$0..<min($0 + batch, sources.count)])
        }.filter { $0.count == batch }
        guard !groups.isEmpty else {
            throw CheckFailure(description: "\(sources.count) sentences are no batch of \(batch)")
        }
        var seconds = [[Double]](repeating: [], count: networks.count)
        for repetition in 0...repetitions {
            for group in groups {
                for (index, network) in networks.enumerated() {
                    let start = threadSeconds()
                    let tokens = network.greedy(group, forcedLength: length)
                    let elapsed = threadSeconds() - start
                    guard tokens.allSatisfy({ $0.count == length }) else {
                        throw CheckFailure(
                            description: "\(directories[index].path): a target has not \(length) tokens")
                    }
                    // The first round only warms up.
                    if repetition > 0 { seconds[index].append(elapsed) }
                }
                if repetition == 0 { break }
            }
        }
        let sourceTokens = groups.joined().reduce(0) { $0 + $1.count }
        return directories.indices.map { index in
            let timing = Timing(seconds[index])
            let ratios = zip(seconds[0], seconds[index]).map { $0 / $1 }
            return ModelRecord(
                model: directories[index].path, batch: batch, length: length, sourceTokens: sourceTokens,
                seconds: timing, tokensPerSecond: Double(batch * length) / timing.median,
                overFirst: Timing(ratios).median)
        }
    }
}

/// The records as aligned columns.
func table(_ records: [ModelRecord]) -> String {
    aligned(
        [["model", "batch", "tokens", "ms", "quartiles", "tokens/s", "x first"]]
            + records.map { r in
                [
                    r.model, "\(r.batch)", "\(r.length)", String(format: "%.1f", r.seconds.median * 1e3),
                    String(format: "%.1f-%.1f", r.seconds.lowerQuartile * 1e3, r.seconds.upperQuartile * 1e3),
                    String(format: "%.1f", r.tokensPerSecond), String(format: "%.2f", r.overFirst),
                ]
            }, left: 1
    ).joined(separator: "\n")
}
