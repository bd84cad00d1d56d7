import BitplanKernels
import BitplanMetrics
import BitplanModels
import BitplanQuantizers
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat
import Testing

/// What is measured does not depend on how: prefixes, contexts, batches and threads give the same bits.
@Suite struct MeasurerTests {
    private static let schemes: [Scheme] = [
        .fp32, .bcq(1), .bcq(3), .integer(bits: 4, symmetric: true, granularity: .row, scales: .fp32),
    ]

    private func random(_ generator: inout SeededGenerator, like context: Assignment? = nil, count: Int)
        -> Assignment
    {
        (0..<count).map { index in
            if let context, generator.uniform() < 0.85 { return context[index] }
            return Self.schemes[generator.index(below: Self.schemes.count)]
        }
    }

    /// Losses of random assignments around a random context equal those of networks that run from the start,
    /// bit for bit.
    @Test(arguments: [UInt64(1), 2, 3])
    func prefixReuseChangesNothing(_ seed: UInt64) throws {
        let bench = try Bench.shared.get()
        let measurer = try bench.measurer(12)
        let count = measurer.layout.sublayers.count
        var generator = SeededGenerator(seed: seed)
        let context = seed == 1 ? measurer.fullPrecision : random(&generator, count: count)
        var assignments = (0..<6).map { _ in random(&generator, like: context, count: count) }
        assignments.append(context)
        // The last sublayer alone: everything before it is reused.
        assignments.append(context.dropLast(2) + [.bcq(2), context[count - 1]])
        // Unordered, and one twice.
        assignments.append(assignments[0])
        var seen: [Int] = []
        let losses = try measurer.losses(of: assignments, around: context) { index, _ in seen.append(index)
        }
        #expect(seen.sorted() == Array(assignments.indices))
        for (assignment, losses) in zip(assignments, losses) {
            let scratch = try measurer.evaluator.losses(of: try measurer.network(assignment))
            #expect(losses == scratch, "seed \(seed): \(assignment)")
        }
        if seed == 1 { #expect(losses[6].allSatisfy { $0.kl.nats == 0 }, "the context is full precision") }
        #expect(losses[7].contains { $0.kl.nats > 0 })
    }

    @Test func networkAgainstItselfLosesExactlyNothing() throws {
        let bench = try Bench.shared.get()
        let measurer = try bench.measurer(20)
        #expect(try measurer.evaluator.losses(of: bench.network).allSatisfy { $0.kl.nats == 0 })
        // The identity scheme goes through encoding and decoding, and must change no bit.
        let every = measurer.layout.sublayers.map { ($0, Scheme.fp32) }
        let probe = try bench.network.replacing(
            try bench.encodings.operators(of: every, for: measurer.evaluator))
        let losses = try measurer.evaluator.losses(of: probe)
        #expect(losses.allSatisfy { $0.kl.nats == 0 })
        #expect(LossMeasurement(losses).klNats == 0)
        #expect(losses == (try measurer.evaluator.losses(of: bench.network)))
    }

    @Test func batchesAndThreadsDoNotMatter() throws {
        let bench = try Bench.shared.get()
        let together = try bench.measurer(40)
        let assignment = together.layout.uniform(.bcq(3))
        let probe = try together.network(assignment)
        let losses = try together.evaluator.losses(of: probe)
        #expect(losses == (try bench.measurer(40, threads: 1).evaluator.losses(of: probe)))
        for (example, loss) in zip(bench.examples, losses) {
            let alone = try Evaluator(reference: bench.network, examples: [example], threads: 1)
            #expect(try alone.losses(of: probe) == [loss])
        }
        #expect(losses.map(\.kl.tokens) == bench.examples[..<40].map { $0.target.count })
    }

    /// The mean loss against the definition, from probabilities in `Double`.
    @Test func lossesAreWhatTheyAreCalled() throws {
        let bench = try Bench.shared.get()
        let measurer = try bench.measurer(3)
        let probe = try measurer.network(
            Assignment(repeating: .bcq(3), count: measurer.layout.sublayers.count))
        func logProbabilities(_ network: EncoderDecoderNetwork, _ example: EncoderDecoderNetwork.Example)
            -> [[Double]]
        {
            let logits = network.logits(network.outputs(network.state([example])))
            return (0..<logits.rows).map { row in
                let values = logits[row: row].map(Double.init)
                let largest = values.max() ?? 0
                let sum = values.reduce(0) { $0 + exp($1 - largest) }
                return values.map { $0 - largest - log(sum) }
            }
        }
        for (example, loss) in zip(bench.examples, try measurer.evaluator.losses(of: probe)) {
            let p = logProbabilities(bench.network, example)
            let q = logProbabilities(probe, example)
            var (kl, crossEntropy) = (0.0, 0.0)
            for (row, target) in example.target.enumerated() {
                crossEntropy -= q[row][target]
                for token in p[row].indices {
                    kl += exp(p[row][token]) * (p[row][token] - q[row][token])
                }
            }
            #expect(abs(loss.kl.nats - kl) < 1e-4 * max(1, kl))
            #expect(abs(loss.crossEntropy.nats - crossEntropy) < 1e-4 * max(1, crossEntropy))
        }
    }

    @Test func sweepHasEveryCellOnce() throws {
        let bench = try Bench.shared.get()
        let measurer = try bench.measurer(3)
        let sweep = Sweep(measurer, candidates: [.fp32, .bcq(2)])
        var done: [Int] = []
        var totals: Set<Int> = []
        let cells = try sweep.run(progress: { work, total in
            done.append(work)
            totals.insert(total)
        })
        #expect(done.count == sweep.assignments.count && done == Set(done).sorted())
        #expect(totals == [done.last ?? 0], "all of the work is done in the end, and its amount known before")
        #expect(
            sweep.assignments.count == 1 + 21 + 7 + 1,
            "the identity once, 21 sublayers, 7 groups of more than one, the vectors")
        #expect(cells.bySublayer.count == 22 * 2 && cells.byType.count == 8 * 2)
        for cell in cells.bySublayer + cells.byType {
            #expect(cell.measurement.metric == nil && cell.measurement.sentences == 3)
            // The vectors of the fixture may be FP16 numbers already.
            guard cell.row != "Vectors" || cell.scheme == .fp32 else { continue }
            #expect((cell.measurement.klNats == 0) == (cell.scheme == .fp32), "\(cell.row) \(cell.scheme)")
        }
        let emb = (cells.byType + cells.bySublayer).filter { $0.row == "Emb" && $0.scheme == .bcq(2) }
        #expect(emb.count == 2 && emb[0].measurement == emb[1].measurement)
        #expect(emb[0].bytes == 2 * 4001 * (128 / 8 + 4))
    }
}
