import BitplanEncoding
import BitplanMetrics
import BitplanModels
import BitplanQuantizers
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat
import TestSupport
import Testing

/// Proxies are what their formulas say, and order the cells as measuring does as far as they claim to.
@Suite struct SignalTests {
    private static let int8 = Scheme.integer(bits: 8, symmetric: true, granularity: .row, scales: .fp32)

    private struct Prepared {
        let bench: Bench
        let measurer: Measurer<MarianFamily>
        let calibration: Calibration

        init() throws {
            bench = try Bench.shared.get()
            measurer = try bench.measurer(16)
            calibration = try Calibration(
                bench.network, Array(bench.examples[..<40]), fit: .greedy, gathersMoments: true)
        }

        func cells(_ signal: ProxySignal, _ candidates: [Scheme]) throws -> [String: Double] {
            let sweep = ProxySweep(signal, measurer, calibration: calibration, candidates: candidates)
            var done: [Int] = []
            let cells = try sweep.run { done.append($0) }
            #expect(done == Array(1...sweep.steps))
            #expect(
                cells.bySublayer.count == 21 * candidates.count + 2
                    && cells.byType.count == 8 * candidates.count)
            for cell in cells.byType {
                let members = cells.bySublayer.filter {
                    $0.scheme == cell.scheme
                        && (cell.row == "Emb" ? $0.row == "Emb" : $0.row.hasPrefix(cell.row))
                }
                let sum = members.reduce(0) { $0 + $1.measurement.klNats }
                #expect(abs(cell.measurement.klNats - sum) <= 1e-12 * sum, "\(cell.row)")
            }
            return Dictionary(
                uniqueKeysWithValues: cells.bySublayer.map {
                    ("\($0.row) \($0.scheme)", $0.measurement.klNats)
                })
        }

        func change(_ shape: MatrixShape, _ scheme: Scheme) throws -> [Double] {
            let weights = try bench.model.matrix(shape)
            let decoded = try Quantizer.decode(try bench.encodings.packed(shape, scheme))
            return zip(weights.storage, decoded.storage).map { Double($0) - Double($1) }
        }
    }

    @Test func weightErrorIsASumOfSquares() throws {
        let prepared = try Prepared()
        let cells = try prepared.cells(.weight, [.bcq(2), .fp32])
        for sublayer in prepared.bench.network.layout.sublayers {
            #expect(cells["\(sublayer.name) fp32"] == 0)
            let expected = try sublayer.matrices.reduce(0.0) {
                try $0 + prepared.change($1, .bcq(2)).reduce(0) { $0 + $1 * $1 }
            }
            let got = try #require(cells["\(sublayer.name) bcq2"])
            #expect(abs(got - expected) <= 1e-9 * expected, "\(sublayer.name)")
        }
    }

    /// Through the second moments it is what comes out when every input is multiplied with the error.
    @Test func outputErrorIsWhatTheOutputsLose() throws {
        let prepared = try Prepared()
        let cells = try prepared.cells(.output, [.bcq(2)])
        let network = prepared.bench.network
        let examples = Array(prepared.bench.examples[..<40])
        let tokens = examples.flatMap { $0.source + $0.target }
        for index in [0, 1, 8, 14, 20] {
            let sublayer = network.layout.sublayers[index]
            var expected = 0.0
            for shape in sublayer.matrices {
                let change = try prepared.change(shape, .bcq(2))
                func square(_ row: Int) -> Double {
                    change[row * shape.columns..<(row + 1) * shape.columns].reduce(0) { $0 + $1 * $1 }
                }
                if network.tokenMatrices == [shape.tensor] {
                    expected += tokens.reduce(0) { $0 + square($1) }
                }
                func observe(_ name: String, _ x: Matrix) {
                    guard name == shape.tensor else { return }
                    for token in 0..<x.rows {
                        for row in 0..<shape.rows {
                            var sum = 0.0
                            for column in 0..<shape.columns {
                                sum += Double(x[token, column]) * change[row * shape.columns + column]
                            }
                            expected += sum * sum
                        }
                    }
                }
                for example in examples {
                    let state = network.state([example], observing: ForwardObserver(products: observe))
                    _ = network.logits(network.outputs(state), observing: ForwardObserver(products: observe))
                }
            }
            expected /= Double(tokens.count)
            let got = try #require(cells["\(sublayer.name) bcq2"])
            #expect(abs(got - expected) <= 1e-3 * expected, "\(sublayer.name): \(got), expected \(expected)")
        }
    }

    /// Where errors are small the second order is all there is: within a factor of two of what is measured.
    @Test func fisherEstimatesKL() throws {
        let prepared = try Prepared()
        let schemes: [Scheme] = [Self.int8, .bcq(3), .fp32]
        let cells = try prepared.cells(.fisher, schemes)
        var pairs: [(measured: Double, estimated: Double)] = []
        let sweep = Sweep(prepared.measurer, candidates: schemes)
        for cell in try sweep.run().bySublayer where cell.row != "Vectors" {
            let estimated = try #require(cells["\(cell.row) \(cell.scheme)"])
            if cell.scheme == .fp32 {
                #expect(estimated == 0)
                continue
            }
            let measured = cell.measurement.klNats
            if cell.scheme == Self.int8 {
                #expect(
                    estimated > measured / 2 && estimated < 2 * measured,
                    "\(cell.row): \(estimated), measured \(measured)")
            }
            pairs.append((measured, estimated))
        }
        let agreement = try #require(try Correlation.spearman(pairs.map(\.measured), pairs.map(\.estimated)))
        #expect(agreement > 0.9, "\(agreement)")
    }

    @Test func schemesThatChangeInputsAreRefused() throws {
        let prepared = try Prepared()
        for signal in [ProxySignal.output, .fisher] {
            #expect(throws: FileError.self) { try prepared.cells(signal, [.integer8Activations]) }
        }
        let losses = try prepared.cells(.weight, [.integer8Activations])
        #expect(losses.allSatisfy { $0.key.hasPrefix("Vectors") || $0.value > 0 })
    }

    private func check<Family: ModelFamily>(_ type: Family.Type, _ directory: String, data text: String)
        throws
    {
        let (model, network, examples) = try golden(type, directory, data: text)
        let calibration = try Calibration(network, examples, fit: .greedy, gathersMoments: true)
        let measurer = Measurer(
            encodings: Encodings(model, fit: .greedy),
            evaluator: try Evaluator(reference: network, examples: examples))
        for signal in ProxySignal.allCases {
            let sweep = ProxySweep(
                signal, measurer, calibration: calibration, candidates: [.bcq(1), .bcq(3)])
            for cell in try sweep.run().bySublayer where cell.row != "Vectors" {
                let value = cell.measurement.klNats
                #expect(value > 0 && value.isFinite, "\(signal) of \(cell.row) at \(cell.scheme): \(value)")
            }
        }
    }

    @Test func bert() throws {
        try check(
            BertFamily.self, "tiny-bert",
            data: "good film\t1\nnot bad, the film\tgood\t2\nabc def\tneutral\n!\tcontradiction\n")
    }

    @Test func llama() throws {
        let text = (0..<9).map { "the \($0) thing and another one" }.joined(separator: "\n")
        try check(LlamaFamily.self, "tiny-llama", data: text)
    }
}
