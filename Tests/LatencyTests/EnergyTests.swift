import BitplanLatency
import PlanFormat
import Testing

/// Joules from the energy of single operations.
@Suite struct EnergyTests {
    /// The weights of a Transformer of 6.7 billion, `12 d^2 L`, as one product with 512 tokens.
    static func transformer(_ scheme: Scheme, _ process: Energy.Process) -> Energy {
        let (width, layers) = (4096, 32)
        return Double(layers)
            * Energy.product(scheme, rows: 12 * width, columns: width, tokens: 512, process)
    }

    @Test func halfPrecisionRowOfTheBitNetPaper() {
        for (process, multiplications, additions) in [
            (Energy.Process.nm7, 1.14, 0.54), (.nm45, 3.70, 1.35),
        ] {
            let energy = Self.transformer(.full(.fp16), process)
            #expect(abs(energy.multiplications / multiplications - 1) < 0.03, "\(process): \(energy)")
            #expect(abs(energy.additions / additions - 1) < 0.03, "\(process): \(energy)")
        }
    }

    /// Both rows of the paper count the same operations, so its FP16 row and its table of energies give the
    /// FP32 row.
    @Test func fullPrecisionRowFollowsFromTheSameOperations() {
        for (process, half, single, row) in [
            (Energy.Process.nm7, (0.16, 0.34), (0.38, 1.31), (0.54, 1.14)),
            (.nm45, (0.4, 1.1), (0.9, 3.7), (1.35, 3.70)),
        ] {
            let energy = Self.transformer(.fp32, process)
            #expect(abs(energy.additions / (row.0 / half.0 * single.0) - 1) < 0.03)
            #expect(abs(energy.multiplications / (row.1 / half.1 * single.1) - 1) < 0.03)
        }
    }

    @Test func formulasOfAProduct() {
        let (m, n, p) = (3.0, 5.0, 7.0)
        func product(_ scheme: Scheme) -> Energy {
            Energy.product(scheme, rows: Int(p), columns: Int(n), tokens: Int(m), .nm45)
        }
        func isClose(_ left: Double, _ right: Double) -> Bool { abs(left - right) <= 1e-9 * abs(right) }
        #expect(isClose(product(.fp32).additions, m * (n - 1) * p * 0.9e-12))
        #expect(isClose(product(.fp32).multiplications, m * n * p * 3.7e-12))
        // Three planes of sums and two sums of planes; one multiplication by each alpha.
        #expect(isClose(product(.bcq(3)).additions, (3 * m * (n - 1) * p + 2 * m * p) * 0.9e-12))
        #expect(isClose(product(.bcq(3)).multiplications, 3 * m * p * 3.7e-12))
        #expect(isClose(product(.bitLinear(groups: 1)).additions, m * (n - 1) * p * 0.03e-12))
        #expect(isClose(product(.bitLinear(groups: 1)).multiplications, (m * p + m * n) * 3.7e-12))
        #expect(isClose(product(.integer8Activations).additions, m * (n - 1) * p * 0.03e-12))
        // Rows by cluster: 2, 1 bits.
        let clusters = Energy.product(
            .clusteredCodes(clusters: 2, ratio: 1, alphas: .fp32), rows: 8, columns: 5, tokens: 1, .nm7)
        let parts =
            Energy.product(.bcq(2), rows: 4, columns: 5, tokens: 1, .nm7)
            + Energy.product(.bcq(1), rows: 4, columns: 5, tokens: 1, .nm7)
        #expect(isClose(clusters.joules, parts.joules))
    }
}
