import BitplanEncoding
import BitplanModels
import BitplanQuantizers
import BitplanTensors
import PlanFormat

/// A sensitivity table's cells without measuring them: what each sublayer loses under each candidate by a
/// proxy.
///
/// Cells by type are the sums of their sublayers'.
package struct ProxySweep<Family: ModelFamily> {
    /// The proxy.
    package let signal: ProxySignal
    /// The schemes of the columns.
    package let candidates: [Scheme]
    private let measurer: Measurer<Family>
    private let calibration: Calibration

    /// A sweep over `candidates`.
    ///
    /// - Parameters:
    ///   - measurer: encodes matrices; `fisher` measures its probes with it, so few items make it fast.
    ///   - calibration: has moments, whatever the fit.
    package init(
        _ signal: ProxySignal, _ measurer: Measurer<Family>, calibration: Calibration, candidates: [Scheme]
    ) {
        self.signal = signal
        self.measurer = measurer
        self.calibration = calibration
        self.candidates = candidates
    }

    /// Steps that `progress` of `run` counts: a matrix under a scheme, and for `fisher` the probes of a
    /// matrix.
    package var steps: Int {
        let matrices = measurer.layout.sublayers.reduce(0) { $0 + $1.matrices.count }
        return matrices * (candidates.count + (signal == .fisher ? 1 : 0))
    }

    /// The cells.
    ///
    /// - Complexity: every matrix is encoded under every candidate; see `OutputError` and `Curvature` for
    ///   what comes on top.
    /// - Throws: `FileError` where a scheme cannot be judged by its weights.
    package func run(progress: (Int) -> Void = { _ in }) throws -> SweepCells {
        var done = 0
        let curvatures =
            signal == .fisher
            ? try Curvature(measurer: measurer, calibration: calibration, probes: 1).curvatures {
                done = $0
                progress(done)
            } : [:]
        let layout = measurer.layout
        var losses: [[Scheme: Double]] = []
        for sublayer in layout.sublayers {
            // What rounding vectors loses is below what a proxy can say.
            var row = Dictionary(uniqueKeysWithValues: sublayer.options(candidates).map { ($0, 0.0) })
            for shape in sublayer.matrices {
                let weights = try measurer.encodings.model.matrix(shape)
                let form = calibration.outputError(shape)
                for scheme in candidates {
                    let change = weights.subtracting(try decoded(shape, scheme))
                    row[scheme, default: 0] += value(
                        change, form, curvature: curvatures[shape.tensor] ?? 0)
                    done += 1
                    progress(done)
                }
            }
            losses.append(row)
        }
        func cells(_ name: String, _ members: [Int]) -> [SensitivityCell] {
            layout.sublayers[members[0]].options(candidates).map { scheme in
                SensitivityCell(
                    row: name, scheme: scheme,
                    bytes: members.reduce(0) { $0 + layout.sublayers[$1].sizeInBytes(scheme) },
                    measurement: LossMeasurement(
                        klNats: members.reduce(0) { $0 + (losses[$1][scheme] ?? 0) }, standardError: nil,
                        crossEntropyNats: 0, sentences: 0))
            }
        }
        return (
            layout.groups.flatMap { cells($0.name, $0.members) },
            layout.sublayers.indices.flatMap { cells(layout.sublayers[$0].name.description, [$0]) }
        )
    }

    private func decoded(_ shape: MatrixShape, _ scheme: Scheme) throws -> Matrix {
        if signal != .weight, scheme.changesActivations {
            throw FileError(
                measurer.encodings.model.directory,
                "scheme '\(scheme)' changes a layer's inputs too, which signal '\(signal.rawValue)' does not see; use 'measured'"
            )
        }
        return try Quantizer.decode(try measurer.encodings.packed(shape, scheme))
    }

    /// The proxy's value of a change of a matrix.
    private func value(_ change: Matrix, _ form: OutputError, curvature: Double) -> Double {
        switch signal {
        case .weight: change.squares
        case .output: form.total(change) / calibration.tokens
        case .fisher: curvature * form.total(change) / 2
        }
    }
}
