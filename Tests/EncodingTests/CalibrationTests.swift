import BitplanEncoding
import BitplanModels
import BitplanQuantizers
import BitplanTensors
import PlanFormat
import Synchronization
import Testing

/// What calibration text says: second moments and token counts.
@Suite struct CalibrationTests {
    /// More batches than one round has, so that sums of rounds are added too.
    private static let count = 140

    /// X'X in `Double` over the inputs of one tensor, text by text.
    private func moments(
        _ tensor: String, _ network: EncoderDecoderNetwork, _ examples: [EncoderDecoderNetwork.Example]
    )
        -> [Double]
    {
        var sums: [Double] = []
        for example in examples {
            func observe(_ name: String, _ x: Matrix) {
                guard name == tensor else { return }
                if sums.isEmpty { sums = [Double](repeating: 0, count: x.columns * x.columns) }
                for row in 0..<x.rows {
                    for i in 0..<x.columns {
                        for j in 0...i { sums[i * x.columns + j] += Double(x[row, i]) * Double(x[row, j]) }
                    }
                }
            }
            let state = network.state([example], observing: ForwardObserver(products: observe))
            _ = network.logits(network.outputs(state), observing: ForwardObserver(products: observe))
        }
        return sums
    }

    /// What errors of outputs do to predictions: symmetric, the same on any number of threads, of every
    /// matrix but the output projection, and tokens count 1 on average.
    @Test func curvatureOfOutputs() throws {
        let bench = try Bench.shared.get()
        let examples = Array(bench.examples[..<Self.count])
        let shapes = bench.network.layout.sublayers.flatMap(\.matrices)
        func contexts(_ threads: Int) throws -> [String: Matrix] {
            let calibration = try Calibration(bench.network, examples, fit: .curvature, threads: threads)
            return Dictionary(
                uniqueKeysWithValues: shapes.compactMap { shape in
                    calibration.context(shape).outputMoments.map { (shape.tensor, $0) }
                })
        }
        let moments = try contexts(2)
        let tables = bench.network.tokenMatrices
        #expect(Set(moments.keys) == Set(shapes.map(\.tensor)).subtracting(tables))
        #expect(try contexts(1) == moments)
        for shape in shapes where !tables.contains(shape.tensor) {
            let matrix = try #require(moments[shape.tensor])
            #expect(matrix.rows == shape.rows && matrix.columns == shape.rows)
            #expect((0..<matrix.rows).allSatisfy { matrix[$0, $0] >= 0 && matrix[$0, $0].isFinite })
            #expect(matrix[0, shape.rows - 1] == matrix[shape.rows - 1, 0])
        }
        let alone = try Calibration(bench.network, examples, fit: .calibrated)
        #expect(shapes.allSatisfy { alone.context($0).outputMoments == nil })
    }

    @Test func momentsAreTheInputsProducts() throws {
        let bench = try Bench.shared.get()
        let examples = Array(bench.examples[..<Self.count])
        let calibration = try Calibration(bench.network, examples, fit: .calibrated)
        let tensors = bench.network.layout.sublayers.flatMap(\.matrices)
        #expect(Set(calibration.moments.keys) == Set(tensors.map(\.tensor)), "every matrix has them")
        for tensor in [
            "model.shared.weight", "model.encoder.layers.0.self_attn.k_proj.weight",
            "model.encoder.layers.3.self_attn.out_proj.weight",
            "model.decoder.layers.1.encoder_attn.v_proj.weight",
            "model.decoder.layers.2.fc1.weight",
        ] {
            let expected = moments(tensor, bench.network, examples)
            let got = try #require(calibration.moments[tensor])
            let size = got.rows
            #expect(got.columns == size && expected.count == size * size)
            var worst = 0.0
            for i in 0..<size {
                for j in 0...i {
                    let scale = (expected[i * size + i] * expected[j * size + j]).squareRoot()
                    let difference = max(
                        abs(Double(got[i, j]) - expected[i * size + j]),
                        abs(Double(got[j, i]) - expected[i * size + j]))
                    worst = max(worst, difference / max(scale, 1e-12))
                }
            }
            #expect(worst < 1e-5, "\(tensor): \(worst)")
        }
    }

    @Test func momentsDoNotDependOnThreads() throws {
        let bench = try Bench.shared.get()
        let one = try Calibration(bench.network, bench.examples, fit: .calibrated, threads: 1)
        let two = try Calibration(bench.network, bench.examples, fit: .calibrated, threads: 2)
        let five = try Calibration(bench.network, bench.examples, fit: .calibrated, threads: 5)
        #expect(one.moments == two.moments && one.moments == five.moments)
    }

    @Test func tokensAreCounted() throws {
        let bench = try Bench.shared.get()
        let calibration = try Calibration(bench.network, bench.examples, fit: .greedy)
        #expect(calibration.moments.isEmpty, "only calibrated codes need moments")
        let tokens = bench.examples.flatMap { $0.source + $0.target }
        let shapes = bench.network.layout.sublayers.flatMap(\.matrices)
        #expect(Array(calibration.frequencies.keys) == [shapes[0].tensor])
        let frequencies = try #require(calibration.frequencies[shapes[0].tensor])
        #expect(frequencies.count == 4001)
        #expect(frequencies.reduce(0, +) == Double(tokens.count))
        #expect(frequencies[0] == Double(2 * bench.examples.count), "the end symbol, twice a pair")
        let embedding = calibration.context(shapes[0])
        #expect(embedding.rowFrequencies == frequencies && embedding.lookupWeight > 0)
        let other = calibration.context(shapes[1])
        #expect(other.rowFrequencies == nil && other.lookupWeight == 0)
    }

    /// A matrix is encoded once, whoever asks.
    @Test func encodingsAreKept() throws {
        let bench = try Bench.shared.get()
        let asked = Mutex(0)
        let encodings = Encodings(bench.model, fit: .greedy) { _ in
            asked.withLock { $0 += 1 }
            return .none
        }
        let shape = bench.network.layout.sublayers[1].matrices[0]
        let first = try encodings.packed(shape, .bcq(2))
        #expect(try encodings.packed(shape, .bcq(2)) == first)
        #expect(asked.withLock { $0 } == 1)
        _ = try encodings.packed(shape, .bcq(3))
        #expect(asked.withLock { $0 } == 2)
        #expect(first.sizeInBytes == Scheme.bcq(2).sizeInBytes(rows: shape.rows, columns: shape.columns))
    }
}
