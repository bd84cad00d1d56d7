import BitplanEncoding
import BitplanKernels
import BitplanMeasurements
import BitplanMetrics
import BitplanModels
import BitplanTensors
import PlanFormat

/// How steeply KL rises with the squared error of each matrix's outputs, by forward passes alone.
///
/// KL(p || p_y+d) of the outputs y of a matrix is d'Fd / 2 to second order, F the Fisher information of the
/// model's predictions in y (the Hessian of KL at 0, which is the Gauss-Newton matrix of cross-entropy).
/// Errors of quantization have no known direction, so F is taken by its trace: with random Gaussian R, the
/// change R x of a matrix's outputs is isotropic, and
///
///     c = E[KL(R) + KL(-R)] / tr(R H R')
///
/// is the mean curvature per squared error: KL(dW) is about c tr(dW H dW') / 2. Both signs cancel the third
/// order.
/// - Complexity: two probes a matrix over `examples`, each from its sublayer on; no probe depends on the
///   candidate schemes.
/// - Source: Hutchinson 1990 for the trace; Dong et al. 2020 (HAWQ-V2) for its use; by differences of
///   function values instead of gradients as in Spall 1992.
struct Curvature<Family: ModelFamily> {
    /// Change of the outputs beside the outputs, root mean square: small enough for the second order, large
    /// enough for FP32.
    static var relativeChange: Double { 0.05 }

    let measurer: Measurer<Family>
    let calibration: Calibration
    let probes: Int

    /// c of every matrix, by tensor, in nats per prediction and squared error summed over the calibration
    /// text.
    func curvatures(progress: (Int) -> Void) throws -> [String: Double] {
        let evaluator = measurer.evaluator
        let network = evaluator.reference
        var curvatures: [String: Double] = [:]
        var states: [Family.Net.State] = []
        var done = 0
        for (index, sublayer) in network.layout.sublayers.enumerated() {
            if index == 1 { states = try evaluator.states(of: network, before: 1) }
            if index > 1 {
                states = try evaluator.advance(states, through: index - 1, of: network)
            }
            for shape in sublayer.matrices {
                let weights = try measurer.encodings.model.matrix(shape)
                let form = calibration.outputError(shape)
                let scale = form.total(weights)
                var (loss, square) = (0.0, 0.0)
                for seed in 0..<probes {
                    var change = Self.noise(shape, seed: UInt64(seed))
                    let size = form.total(change)
                    guard scale > 0, size > 0 else { continue }
                    change.scale(by: Float(Self.relativeChange * (scale / size).squareRoot()))
                    square += form.total(change)
                    for sign in [Float(1), -1] {
                        var perturbed = weights
                        perturbed.add(change, times: sign)
                        let probe = try network.replacing(
                            [shape.tensor: evaluator.weights(perturbed, of: shape.tensor)])
                        let scores = try evaluator.scores(
                            of: probe, from: index, states: states, batches: evaluator.batchSizes.indices)
                        loss += LossMeasurement(scores.losses).klNats
                    }
                }
                curvatures[shape.tensor] = square > 0 ? loss / square : 0
                done += 1
                progress(done)
            }
        }
        return curvatures
    }

    /// Standard normal numbers, the same for a tensor on every machine.
    private static func noise(_ shape: MatrixShape, seed: UInt64) -> Matrix {
        var generator = SeededGenerator(seed: Checksum([shape.tensor, "\(seed)"]).value)
        return Matrix(
            rows: shape.rows, columns: shape.columns,
            storage: (0..<shape.count).map { _ in Float(generator.normal()) })
    }
}

extension Matrix {
    fileprivate mutating func scale(by factor: Float) {
        for index in storage.indices { storage[index] *= factor }
    }

    fileprivate mutating func add(_ other: Matrix, times factor: Float) {
        for index in storage.indices { storage[index] += factor * other.storage[index] }
    }
}
