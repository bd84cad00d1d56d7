import BitplanTensors
import Foundation

/// Rotary position embeddings: channel i and channel i + size / 2 of every head are turned together by the
/// angle `position * theta^(-2 i / size)`, or less where the model was made for longer texts.
///
/// - Source: Su et al. 2021 (RoFormer), in the half-split order of channels that Llama checkpoints have.
struct RotaryPositions: Sendable {
    /// How the frequencies of a model for longer texts differ from those it was trained with first.
    enum Scaling: Sendable, Equatable {
        case none
        /// All divided by a factor.
        case linear(factor: Double)
        /// Those of waves longer than `originalPositions / lowFactor` divided by `factor`, those of waves
        /// shorter than `originalPositions / highFactor` kept, those between in between.
        ///
        /// - Source: Llama 3.1, as transformers 5.24 has it (`_compute_llama3_parameters`).
        case llama3(factor: Double, lowFactor: Double, highFactor: Double, originalPositions: Int)

        /// The frequency in the place of another, in radians a token.
        func scaled(_ frequency: Float) -> Float {
            switch self {
            case .none: return frequency
            case .linear(let factor): return frequency / Float(factor)
            case .llama3(let factor, let lowFactor, let highFactor, let originalPositions):
                let wave = 2 * Float.pi / frequency
                let positions = Float(originalPositions)
                if wave < positions / Float(highFactor) { return frequency }
                if wave > positions / Float(lowFactor) { return frequency / Float(factor) }
                let smooth = (positions / wave - Float(lowFactor)) / Float(highFactor - lowFactor)
                return (1 - smooth) * frequency / Float(factor) + smooth * frequency
            }
        }
    }

    /// Channels of a head; even.
    let size: Int
    private let frequencies: [Float]
    /// Cosines and sines of the first positions, (positions, size / 2); later ones are computed as they come.
    private let cosines: [Float]
    private let sines: [Float]

    /// Positions that are kept in tables: a longer text pays for its angles itself.
    private static let tableLimit = 2048

    /// Angles for heads of `size` channels.
    init(size: Int, theta: Double, scaling: Scaling = .none, maximumPositions: Int) {
        self.size = size
        // FP32 as the reference computes them, so that late positions get the same angles.
        let frequencies = stride(from: 0, to: size, by: 2).map {
            scaling.scaled(Float(1 / pow(theta, Double($0) / Double(size))))
        }
        let positions = 0..<min(maximumPositions, Self.tableLimit)
        let angles = positions.flatMap { position in frequencies.map { Double(Float(position) * $0) } }
        self.frequencies = frequencies
        cosines = angles.map { Float(cos($0)) }
        sines = angles.map { Float(sin($0)) }
    }

    /// Turns the heads of every row by its position in its sequence; back again where `isReversed`, which is
    /// the way of gradients.
    func apply(to x: inout Matrix, _ offsets: SequenceOffsets, isReversed: Bool = false) {
        for sequence in 0..<offsets.count {
            for (position, row) in offsets[sequence].enumerated() {
                apply(to: &x, row: row, position: position, isReversed: isReversed)
            }
        }
    }

    /// Turns the heads of one row by a position.
    func apply(to x: inout Matrix, row: Int, position: Int, isReversed: Bool = false) {
        let pairs = size / 2
        let first = position * pairs
        let isInTable = first + pairs <= cosines.count
        let columns = x.columns
        x.storage.withUnsafeMutableBufferPointer { buffer in
            for pair in 0..<pairs {
                let angle = isInTable ? 0 : Double(Float(position) * frequencies[pair])
                let cosine = isInTable ? cosines[first + pair] : Float(cos(angle))
                let sine = (isReversed ? -1 : 1) * (isInTable ? sines[first + pair] : Float(sin(angle)))
                for head in stride(from: row * columns, to: (row + 1) * columns, by: size) {
                    let (a, b) = (buffer[head + pair], buffer[head + pair + pairs])
                    buffer[head + pair] = a * cosine - b * sine
                    buffer[head + pair + pairs] = b * cosine + a * sine
                }
            }
        }
    }
}
