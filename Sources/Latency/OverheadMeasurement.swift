import BitplanKernels
import BitplanModels
import PlanFormat

/// Times networks whose products do nothing, and finds the seconds of each `OverheadTerm` from them.
struct OverheadMeasurement {
    let modelType: String
    let specimens: [Specimen]
    /// Timed repetitions of each network and workload.
    let repetitions: Int
    let reference: ReferenceWork

    /// Tokens read and generated.
    private static let lengths = [(8, 4), (24, 1), (24, 12), (12, 40), (48, 24), (64, 2), (96, 64)]

    private struct Sample {
        let network: any Network
        let workload: Workload
        let terms: [OverheadTerm: Double]
        var times: [Double] = []
    }

    /// The overheads, their seconds in units of the reference work.
    func times() throws -> LatencyProfile.OverheadTimes {
        var samples: [Sample] = []
        var sharesPreparations = false
        for (index, specimen) in specimens.enumerated() {
            guard let work = specimen.layout.work else { throw LatencyError.noWork }
            if index == 0 { sharesPreparations = try Self.sharesPreparations(specimen, work) }
            let network = try specimen.network { FreeOperator(rows: $0.rows, columns: $0.columns) }
            for (read, generated) in Self.lengths {
                let workload = work.workload(read: read, generated: generated)
                if samples.contains(where: {
                    $0.workload == workload && $0.terms == specimen.layout.overhead(of: workload)
                }) {
                    continue
                }
                samples.append(
                    Sample(
                        network: network, workload: workload, terms: specimen.layout.overhead(of: workload)))
            }
        }
        for repetition in 0...repetitions {
            for index in samples.indices {
                let sample = samples[index]
                // Short ones several times, so that the clock's own cost vanishes; the first round only warms
                // up.
                let calls = sample.workload.steps < 8 ? 4 : 1
                let time = reference.ratio {
                    for _ in 0..<calls { sample.network.perform(sample.workload) }
                }
                if repetition > 0 { samples[index].times.append(time / Double(calls)) }
            }
        }
        let medians = samples.map { Timing($0.times).median }
        // Relative errors are minimized: a short sentence counts as much as a long one.
        let rows = zip(samples, medians).map { sample, median in
            OverheadTerm.allCases.map { (sample.terms[$0] ?? 0) / median }
        }
        let found = LeastSquares.nonNegative(rows, medians.map { _ in 1 })
        let squares = rows.map { row in
            let error = zip(row, found).reduce(-1.0) { $0 + $1.0 * $1.1 }
            return error * error
        }
        let seconds = zip(OverheadTerm.allCases, found).filter { $0.1 > 0 }.map { ($0.0.rawValue, $0.1) }
        return LatencyProfile.OverheadTimes(
            modelType: modelType, seconds: Dictionary(uniqueKeysWithValues: seconds),
            spread: (squares.reduce(0, +) / Double(max(1, squares.count))).squareRoot(),
            sharesPreparations: sharesPreparations)
    }

    /// Whether activations are prepared less often than they are multiplied.
    private static func sharesPreparations(_ specimen: Specimen, _ work: ModelWork) throws -> Bool {
        let record = try ProductRecord(specimen, work.workload(read: 2, generated: 2))
        return record.preparations < record.tokens.values.reduce(0) { $0 + $1.count }
    }
}
