import BitplanTensors
import PlanFormat

/// Noise of quantization: in every step, random blocks of a matrix are quantized, and the others are as they
/// are.
///
/// With J the chosen blocks, `W~ = phi(W)` on J and W elsewhere. The gradient reaches all of W: as it is
/// where the block was not chosen, through the quantizer as if it were not there where it was. J = all blocks
/// is quantization-aware training.
/// - Source: QuantNoise (Stock, Fan et al. 2020), section 4. As the paper says it: the latent weights keep
///   their values under the noise, and what the proxy leaves is not scaled up (the code published with the
///   paper does otherwise in both).
package struct QuantizationNoise: Sendable, Codable, Hashable {
    /// What becomes of a chosen block.
    package enum Kind: String, Sendable, Codable, CaseIterable {
        /// What the scheme makes of it.
        case exact
        /// Zeros, which need no codes.
        case proxy
    }

    /// What becomes of a chosen block.
    package var kind: Kind
    /// The share of blocks that are chosen, over 0 and at most 1.
    package var rate: Double
    /// Weights of a block, next to each other in a row; nil for the scheme's own: a subvector of product
    /// codes, else a single weight.
    package var block: Int?

    /// The paper's: exact, a tenth of the blocks.
    package init(kind: Kind = .exact, rate: Double = 0.1, block: Int? = nil) {
        self.kind = kind
        self.rate = rate
        self.block = block
    }

    /// Weights of a block of a matrix of `scheme`.
    func block(of scheme: Scheme) -> Int {
        if let block { return block }
        guard case .productCodes(let codes) = scheme else { return 1 }
        return codes.block
    }

    /// `latent` with the chosen blocks replaced.
    ///
    /// - Parameters:
    ///   - quantized: what codes stand for; not read by the proxy.
    ///   - seed: of the step and the matrix.
    package func applied(
        to latent: Matrix, quantized: @autoclosure () -> Matrix, scheme: Scheme, seed: UInt64
    ) -> Matrix {
        var result = latent
        let (columns, width) = (latent.columns, block(of: scheme))
        let replacement = kind == .exact ? quantized().storage : []
        var generator = SeededGenerator(seed: seed)
        for row in 0..<latent.rows {
            for start in stride(from: 0, to: columns, by: width)
            where Double(generator.next() >> 11) * 0x1p-53 < rate {
                for index in row * columns + start..<row * columns + min(start + width, columns) {
                    result.storage[index] = kind == .exact ? replacement[index] : 0
                }
            }
        }
        return result
    }
}

/// Latent weights learn under noise of quantization; codebooks are fitted anew now and then.
package struct NoisyTraining: TrainingMethod {
    let settings: TrainingSettings
    let noise: QuantizationNoise

    package func role(of matrix: TrainedMatrix, at step: Int) -> MatrixRole {
        let following: MatrixRole.Following =
            if settings.recodes(behind: step) { .fitting } else if noise.kind == .exact { .recoding } else {
                .nothing
            }
        return MatrixRole(weights: .noise(noise), learnsWeights: true, following: following)
    }
}
