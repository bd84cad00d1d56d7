import BitplanMetrics
import Testing

@Suite("Classification and correlation against scikit-learn and scipy")
struct LabelMetricTests {
    struct Classified: Decodable {
        var predictions: [Int]
        var labels: [Int]
        var accuracy: Double
        var f1: Double
        var macroF1: Double
        var matthews: Double
    }

    struct Series: Decodable {
        var x: [Double]
        var y: [Double]
        var ranks: [Double]
        var pearson: Double?
        var spearman: Double?
    }

    @Test func classification() throws {
        for (index, item) in try golden("classification", as: Cases<Classified>.self).cases.enumerated() {
            let (predictions, labels) = (item.predictions, item.labels)
            let accuracy = try Classification.accuracy(predictions: predictions, labels: labels)
            #expect(agrees(accuracy, item.accuracy, within: 1e-14), "case \(index)")
            let f1 = try Classification.f1(predictions: predictions, labels: labels)
            #expect(agrees(f1, item.f1, within: 1e-14), "case \(index)")
            let macroF1 = try Classification.macroF1(predictions: predictions, labels: labels)
            #expect(agrees(macroF1, item.macroF1, within: 1e-14), "case \(index)")
            let matthews = try Classification.matthewsCorrelation(predictions: predictions, labels: labels)
            #expect(agrees(matthews, item.matthews, within: 1e-14), "case \(index)")
        }
    }

    @Test func correlation() throws {
        for (index, series) in try golden("correlation", as: Cases<Series>.self).cases.enumerated() {
            #expect(Correlation.averageRanks(series.x) == series.ranks, "case \(index)")
            for (value, expected) in [
                (try Correlation.pearson(series.x, series.y), series.pearson),
                (try Correlation.spearman(series.x, series.y), series.spearman),
            ] {
                switch (value, expected) {
                case (nil, nil): break
                case (let value?, let expected?):
                    #expect(agrees(value, expected, within: 1e-12), "case \(index)")
                default: Issue.record("case \(index): got \(value as Any), expected \(expected as Any)")
                }
            }
        }
    }

    @Test(arguments: 1...10)
    func laws(seed: Int) throws {
        var random = TestRandom(seed: seed)
        let x = (0..<40).map { _ in random.normal() }
        let y = x.map { ($0 + random.normal()) * 2 }
        let pearson = try #require(try Correlation.pearson(x, y))
        #expect(agrees(try #require(try Correlation.pearson(y, x)), pearson, within: 1e-14))
        #expect(
            agrees(try #require(try Correlation.pearson(x, y.map { 5 - 3 * $0 })), -pearson, within: 1e-12))
        // Ranks know nothing of a monotone map.
        #expect(try Correlation.spearman(x.map { $0 * $0 * $0 }, y) == Correlation.spearman(x, y))

        let labels = x.map { $0 > 0 ? 1 : 0 }
        let predictions = y.map { $0 > 0 ? 1 : 0 }
        // Two labels: Matthews is Pearson's r of the indicators.
        let matthews = try Classification.matthewsCorrelation(predictions: predictions, labels: labels)
        let indicators = try Correlation.pearson(predictions.map(Double.init), labels.map(Double.init))
        #expect(agrees(matthews, try #require(indicators), within: 1e-12))
        let swapped = try Classification.matthewsCorrelation(
            predictions: predictions.map { 1 - $0 }, labels: labels)
        #expect(agrees(swapped, -matthews, within: 1e-12))
    }

    @Test func undefinedAndBadInput() throws {
        #expect(try Correlation.pearson([1, .nan], [1, 2]) == nil)
        #expect(try Correlation.pearson([1, .infinity], [1, 2]) == nil)
        #expect(try Correlation.spearman([1, .nan], [1, 2]) == nil)
        #expect(try Correlation.spearman([1, .infinity], [1, 2]) == 1)
        #expect(throws: MetricError.tooFewSamples(metric: "Pearson correlation", count: 1, minimum: 2)) {
            try Correlation.pearson([1], [1])
        }
        #expect(
            throws: MetricError.lengthMismatch(
                first: "the first series", count: 2, second: "the second", otherCount: 1)
        ) {
            try Correlation.spearman([1, 2], [1])
        }
        #expect(throws: MetricError.tooFewSamples(metric: "accuracy", count: 0, minimum: 1)) {
            try Classification.accuracy(predictions: [], labels: [])
        }
        #expect(
            throws: MetricError.lengthMismatch(
                first: "predictions", count: 1, second: "labels", otherCount: 2)
        ) {
            try Classification.macroF1(predictions: [1], labels: [1, 0])
        }
    }
}
