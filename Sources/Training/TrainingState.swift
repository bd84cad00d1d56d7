import BitplanKernels
import BitplanModels
import BitplanTensors
import Foundation

/// Where a run of training is: parameters, the optimizer's memory, the best parameters so far.
package struct TrainingState: Sendable {
    /// The parameters.
    package var model: TrainedModel
    /// Steps that are done.
    package var step = 0
    /// The parameters that lost least on held-out items.
    package var best: Best?
    /// First and second moments of the gradients.
    var moments: [TrainedModel.Parameter: Moments] = [:]
    /// What rates of each parameter are multiplied by: the root mean square of its values at the start.
    let sizes: [TrainedModel.Parameter: Float]

    /// The first and the second moment of a parameter's gradients.
    struct Moments: Sendable {
        var first: [Float]
        var second: [Float]
    }

    /// Parameters as a packed model has them.
    package struct Best: Sendable {
        /// The loss on held-out items that it was chosen by, in nats per prediction.
        package let loss: Double
        /// Steps that led here.
        package let step: Int
        /// The matrices.
        package let packed: [String: PackedMatrix]
        /// The vectors, as they are stored.
        package let vectors: [String: [Float]]
    }

    /// The start of a run.
    package init(_ model: TrainedModel) {
        self.model = model
        var sizes: [TrainedModel.Parameter: Float] = [:]
        for parameter in model.parameters {
            let values = model[parameter]
            let squares = values.reduce(0.0) { $0 + Double($1) * Double($1) }
            let size = Float((squares / Double(max(1, values.count))).squareRoot())
            sizes[parameter] = max(size, Self.leastSize)
            moments[parameter] = Moments(
                first: [Float](repeating: 0, count: values.count),
                second: [Float](repeating: 0, count: values.count))
        }
        self.sizes = sizes
    }

    /// Biases that start near 0 move as if they were of this size.
    private static let leastSize: Float = 1e-2

    private static let (beta1, beta2, epsilon): (Float, Float, Float) = (0.9, 0.99, 1e-10)

    /// Moves all parameters by their gradients: shortened together, then AdamW; codes follow latent weights
    /// as the recipe has it.
    ///
    /// - Throws: `TrainingError` where a gradient is not finite; nothing has moved then.
    mutating func move(
        _ gradients: [TrainedModel.Parameter: [Float]], _ settings: TrainingSettings,
        _ roles: [String: MatrixRole], threads: Int
    ) throws {
        let parameters = model.parameters
        var squares = 0.0
        for parameter in parameters {
            let own = gradients[parameter, default: []].reduce(0.0) { $0 + Double($1) * Double($1) }
            guard own.isFinite else {
                throw TrainingError.notFinite("the gradient of \(parameter)", step: step, settings.rates)
            }
            squares += own
        }
        let factor = Float(min(1, Double(settings.clip) / (squares.squareRoot() + 1e-6)))
        let share = Float(settings.rateFactor(step))
        let (model, moments, step, sizes) = (model, moments, step, sizes)
        let moved = try concurrentMap(count: parameters.count, threads: threads) { index in
            let parameter = parameters[index]
            var values = model[parameter]
            guard let gradient = gradients[parameter], var own = moments[parameter] else {
                return (values, Moments?.none)
            }
            let rate = settings.rates[parameter] * share * sizes[parameter, default: 1]
            let relative = settings.epsilon.map {
                AdamStep.relativeEpsilon(
                    $0, step + 1, beta2: Self.beta2, factor: factor, gradient: gradient, v: own.second)
            }
            AdamStep(
                step + 1, rate: rate, beta1: Self.beta1, beta2: Self.beta2,
                epsilon: Self.epsilon + (relative ?? 0), decay: 0, factor: factor
            ).apply(gradient, to: &values, m: &own.first, v: &own.second)
            return (values, own)
        }
        for (parameter, (values, own)) in zip(parameters, moved) {
            self.model[parameter] = values
            if let own { self.moments[parameter] = own }
        }
        self.step += 1
        try self.model.follow(roles, threads: threads)
    }
}

extension TrainingSettings.Rates {
    fileprivate subscript(parameter: TrainedModel.Parameter) -> Float {
        switch parameter {
        case .numbers: numbers
        case .weights: weights
        case .vector: vectors
        }
    }
}
