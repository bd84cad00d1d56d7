import BitplanMetrics
import Foundation
import Testing

@Suite("Cross-entropy and KL from logits")
struct LogLikelihoodTests {
    struct Rows: Decodable {
        var p: [Float]
        var q: [Float]
        var target: Int
        var logSumExp: Double
        var crossEntropy: Double
        var kl: Double
    }

    @Test func agreesWithFiftyDigits() throws {
        for (index, rows) in try golden("logits", as: Cases<Rows>.self).cases.enumerated() {
            let (p, q) = (rows.p, rows.q)
            #expect(agrees(LogLikelihood.logSumExp(q), rows.logSumExp, within: 1e-14), "case \(index)")
            let crossEntropy = LogLikelihood.crossEntropy(q, target: rows.target)
            #expect(agrees(crossEntropy, rows.crossEntropy, within: 1e-14), "case \(index)")
            let kl = LogLikelihood.klDivergence(p, q)
            #expect(agrees(kl, rows.kl, within: 1e-14), "case \(index): \(kl), expected \(rows.kl)")

            let both = LogLikelihood.compare(reference: p, candidate: q, target: rows.target)
            #expect(both.crossEntropy == crossEntropy)
            #expect(both.klDivergence == kl)
        }
    }

    @Test(arguments: 1...20)
    func laws(seed: Int) {
        var random = TestRandom(seed: seed)
        let count = Int.random(in: 1...300, using: &random)
        let scale = Float([0.1, 1, 10, 1e3, 1e30].randomElement(using: &random)!)
        let p = (0..<count).map { _ in Float(random.normal()) * scale }
        let q = (0..<count).map { _ in Float(random.normal()) * scale }
        #expect(LogLikelihood.klDivergence(p, p) == 0)
        let kl = LogLikelihood.klDivergence(p, q)
        #expect(kl >= 0 && kl.isFinite)
        if count > 1 { #expect(kl > 0) }

        // Probabilities sum to 1.
        let sum = p.indices.reduce(0) { $0 + exp(-LogLikelihood.crossEntropy(p, target: $1)) }
        #expect(abs(sum - 1) < 1e-12)

        // A constant that Float adds exactly changes nothing at all.
        let whole = (0..<count).map { _ in Float(Int.random(in: -50...50, using: &random)) }
        let other = (0..<count).map { _ in Float(Int.random(in: -50...50, using: &random)) }
        let shifted = other.map { $0 + 1000 }
        #expect(LogLikelihood.klDivergence(whole, shifted) == LogLikelihood.klDivergence(whole, other))
        #expect(LogLikelihood.klDivergence(whole, whole.map { $0 - 77 }) == 0)

        // Any storage gives the same bits.
        let lazy = Array(p.reversed()).reversed()
        #expect(LogLikelihood.klDivergence(lazy, q) == kl)
        #expect(p.withUnsafeBufferPointer { LogLikelihood.klDivergence($0, q[...]) } == kl)
    }

    /// The definitions, term by term with libm's exponential: what the lanes have to agree with at every row
    /// length.
    private func plainLogSoftmax(_ row: [Float]) -> [Double] {
        let maximum = Double(row.max() ?? 0)
        let partition = row.reduce(0) { $0 + exp(Double($1) - maximum) }
        return row.map { Double($0) - maximum - log(partition) }
    }

    @Test(arguments: 1...40)
    func agreesWithThePlainDefinition(count: Int) {
        var random = TestRandom(seed: count)
        for (scale, difference) in [(0.1, 0.1), (3, 0.001), (3, 1), (20, 5), (300, 100)] {
            let p = (0..<count).map { _ in Float(random.normal() * scale) }
            let q = p.map { $0 + Float(random.normal() * difference) }
            let (logP, logQ) = (plainLogSoftmax(p), plainLogSoftmax(q))
            let plain = zip(logP, logQ).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
            #expect(agrees(LogLikelihood.klDivergence(p, q), plain, within: 1e-13))
            for target in q.indices {
                #expect(agrees(LogLikelihood.crossEntropy(q, target: target), -logQ[target], within: 1e-14))
            }
        }
    }

    @Test func excludedTokens() {
        let infinity = Float.infinity
        #expect(LogLikelihood.klDivergence([1, -infinity], [1, -infinity]) == 0)
        #expect(LogLikelihood.klDivergence([1, -infinity], [1, 1] as [Float]) == log(2))
        #expect(LogLikelihood.klDivergence([1, 1] as [Float], [1, -infinity]) == .infinity)
        #expect(LogLikelihood.crossEntropy([0, -infinity], target: 1) == .infinity)
        #expect(LogLikelihood.klDivergence([1, .nan], [1, 1] as [Float]).isNaN)
        #expect(LogLikelihood.klDivergence([1, 1] as [Float], [1, .nan]).isNaN)
    }

    @Test func tokenLoss() throws {
        struct Statistics: Decodable {
            struct Ratio: Decodable {
                var nats: [Double]
                var tokens: [Int]
                var perplexity: Double
                var bitsPerByte: Double
            }
            var ratios: [Ratio]
        }
        for ratio in try golden("statistics", as: Statistics.self).ratios {
            let total = zip(ratio.nats, ratio.tokens).map(TokenLoss.init).reduce(.zero, +)
            #expect(agrees(try #require(total.perplexity), ratio.perplexity, within: 1e-12))
            #expect(agrees(try #require(total.bitsPerByte(bytes: 1000)), ratio.bitsPerByte, within: 1e-12))
        }
        #expect(TokenLoss.zero.natsPerToken == nil)
        #expect(TokenLoss.zero.perplexity == nil)
        #expect(TokenLoss(nats: 1, tokens: 1).bitsPerByte(bytes: 0) == nil)
    }
}
