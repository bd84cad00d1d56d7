import BitplanLatency
import BitplanModels
import Foundation
import PlanFormat
import Testing

/// Predictions from profiles of known machines.
@Suite struct PredictionTests {
    /// A machine on which a product takes an affine time: what lines between the points of a grid reproduce.
    static func seconds(_ rows: Int, _ columns: Int, _ tokens: Int) -> Double {
        let (r, c, t) = (Double(rows), Double(columns), Double(tokens))
        return 1e-6 + 1e-8 * t * c + 3e-9 * t * r + 1e-10 * r * c + 2e-10 * r * c * t
    }

    static func profile(
        _ schemes: [Scheme], modelType: String, overheads: [OverheadTerm: Double] = [:],
        sharesPreparations: Bool = false, factor: (Int) -> Double = { _ in 1 }
    ) -> LatencyProfile {
        let points = [64, 256, 4096].flatMap { rows in
            [64, 512].flatMap { columns in
                [1, 4, 32].flatMap { tokens in
                    [1 << 20, 1 << 24].map { bytes in
                        LatencyProfile.KernelPoint(
                            rows: rows, columns: columns, tokens: tokens, workingSetBytes: bytes,
                            seconds: factor(bytes) * seconds(rows, columns, tokens), spread: 0,
                            preparationSeconds: 1e-7 * Double(tokens))
                    }
                }
            }
        }
        return LatencyProfile(
            tool: "test",
            machine: .init(processor: "none", instructions: "none", referenceSeconds: 1e-6, disturbance: 0),
            kernels: schemes.map {
                .init(scheme: $0, points: points, lookups: [.init(columns: 64, seconds: 1e-7)])
            },
            overheads: [
                .init(
                    modelType: modelType,
                    seconds: Dictionary(uniqueKeysWithValues: overheads.map { ($0.key.rawValue, $0.value) }),
                    spread: 0, sharesPreparations: sharesPreparations)
            ])
    }

    @Test func predictionIsTheSumOfWhatIsRun() throws {
        for specimen in try WorkTests.specimens() {
            let layout = specimen.layout
            let workload = try #require(layout.work).workload(read: 7, generated: 5)
            let model = try LatencyModel(
                Self.profile([.bcq(2)], modelType: specimen.modelType), layout: layout,
                modelType: specimen.modelType)
            let prediction = try model.predict(layout.sublayers.map { _ in .bcq(2) }, workload)
            // What the network is seen to multiply, and one look-up for every token.
            let record = try ProductRecord(specimen, workload)
            var expected = 0.0
            for matrix in layout.sublayers.flatMap(\.matrices) {
                for tokens in record.tokens[matrix.tensor] ?? [] {
                    expected += Self.seconds(matrix.rows, matrix.columns, tokens)
                }
            }
            let lookups = layout.sublayers.reduce(0) { sum, sublayer in
                sum
                    + (layout.work?[sublayer.name].lookups ?? []).reduce(0) {
                        $0 + workload.calls($1) * workload.tokens($1)
                    }
            }
            expected += 1e-7 * Double(lookups)
            #expect(lookups >= workload.read + workload.steps)
            #expect(
                abs(prediction.seconds / expected - 1) < 1e-9,
                "\(specimen.modelType): \(prediction.seconds), expected \(expected)")
        }
    }

    @Test func preparationsAreCountedOnceWhereTheyAreShared() throws {
        let specimen = try #require(try MarianFamily.specimens().first)
        let schemes = specimen.layout.sublayers.map { _ in Scheme.bcq(2) }
        let workload = Workload(read: 4, steps: 3, predictions: 3)
        let seconds = try [false, true].map { isShared in
            try LatencyModel(
                Self.profile([.bcq(2)], modelType: "marian", sharesPreparations: isShared),
                layout: specimen.layout, modelType: "marian"
            ).predict(schemes, workload).seconds
        }
        // Of Q, K and V two need none; of keys and values of the source, one. Four layers each.
        let saved = 4 * (2 * 4e-7 + 2 * 3e-7 + 4e-7)
        #expect(abs(seconds[0] - seconds[1] - saved) < 1e-12)
    }

    @Test func largerModelsComeFromFartherAway() throws {
        let specimen = try #require(try MarianFamily.specimens().first)
        let layout = specimen.layout
        let profile = Self.profile([.bcq(1), .bcq(4), .fp32], modelType: "marian") { $0 > 1 << 20 ? 3 : 1 }
        let model = try LatencyModel(profile, layout: layout, modelType: "marian")
        let workload = Workload(read: 4, steps: 8, predictions: 8)
        func seconds(_ scheme: Scheme) throws -> Double {
            try model.predict(layout.sublayers.map { _ in scheme }, workload).seconds
        }
        #expect(try seconds(.bcq(1)) < seconds(.bcq(4)), "less than the first working set, and more")
        #expect(try seconds(.bcq(4)) < seconds(.fp32))
        let set = model.workingSet(layout.sublayers.map { _ in .fp32 }, workload)
        let steps = layout.sublayers.filter { $0.name.kind.stack == "Dec" || $0.name.kind == "Emb" }
        let read = layout.sublayers.filter { $0.name.kind == "Dec_ed" }.reduce(0) { $0 + $1.count / 2 }
        // Vectors, scores of 4000 tokens, and in 4 layers keys and values of 4 tokens that were read and of
        // 4.5 in the mean step.
        let other = layout.fixedBytes + 4 * 4000 + 4 * 2 * 4 * 128 * 4 + Int(4 * 2 * 4 * 128 * 4.5)
        #expect(set.stepBytes == other + 4 * (steps.reduce(0) { $0 + $1.count } - read))
        #expect(set.readBytes == other + 4 * layout.sublayers.reduce(0) { $0 + $1.count })
    }

    @Test func overheadIsTermsTimesAmounts() throws {
        let specimen = try #require(try MarianFamily.specimens().first)
        let workload = Workload(read: 6, steps: 2, predictions: 2)
        for term in OverheadTerm.allCases {
            let model = try LatencyModel(
                Self.profile([], modelType: "marian", overheads: [term: 2e-9]), layout: specimen.layout,
                modelType: "marian")
            let amount = try #require(specimen.layout.overhead(of: workload)[term], "\(term)")
            #expect(amount > 0)
            #expect(abs(model.overheadSeconds(workload) - 2e-9 * amount) < 1e-15)
        }
        // 4 + 4 layers of width 128, 4 heads, 4000 tokens.
        let amounts = specimen.layout.overhead(of: workload)
        #expect(amounts[.scores] == Double(2 * 4000))
        #expect(amounts[.readScores] == Double(4 * 4 * 36))
        #expect(amounts[.stepChannels] == Double(4 * 128 * (3 + 12)))
        #expect(amounts[.stepActivations] == Double(4 * 2 * 512))
    }

    @Test func whatAProfileLacksIsNamed() throws {
        let layout = try #require(try MarianFamily.specimens().first).layout
        let profile = Self.profile([.bcq(2)], modelType: "marian")
        let model = try LatencyModel(profile, layout: layout, modelType: "marian")
        let workload = Workload(read: 1, steps: 1, predictions: 1)
        #expect(throws: LatencyError.noKernel(.bcq(3))) {
            try model.predict(layout.sublayers.map { _ in .bcq(3) }, workload)
        }
        // Alphas of another width run the same kernel.
        _ = try model.predict(
            layout.sublayers.map { _ in .binaryCodes(bits: 2, group: nil, alphas: .fp16) }, workload)
        #expect(throws: LatencyError.noFamily("llama")) {
            try LatencyModel(profile, layout: layout, modelType: "llama")
        }
        #expect(throws: LatencyError.noWork) {
            try LatencyModel(
                profile, layout: ModelLayout(sublayers: layout.sublayers, fixedParameters: 0),
                modelType: "marian")
        }
        var other = profile
        other.schemaVersion = 99
        #expect(throws: LatencyError.otherSchema(99)) { try LatencyModel.check(other) }
        let holes = LatencyProfile(
            tool: "", machine: profile.machine,
            kernels: [
                .init(
                    scheme: .fp32, points: Array(profile.kernels[0].points.dropLast(2)),
                    lookups: profile.kernels[0].lookups)
            ], overheads: [])
        #expect(throws: LatencyError.self) { try LatencyModel.check(holes) }
    }

    @Test func profilesSurviveTheirFile() throws {
        let profile = Self.profile([.bcq(2), .fp32], modelType: "bert", overheads: [.item: 1e-6])
        let data = try JSONEncoder().encode(profile)
        #expect(try JSONDecoder().decode(LatencyProfile.self, from: data) == profile)
    }

    @Test func everySchemeIsMeasured() throws {
        let grid = KernelGrid(
            rows: [8, 130], columns: [64], tokens: [1, 3], workingSets: [1 << 12], repetitions: 1)
        let profile = try Profiler(schemes: Profiler.usualSchemes, grid: grid, families: []).profile(
            tool: "test")
        #expect(profile.kernels.map(\.scheme) == Profiler.usualSchemes)
        #expect(
            (Scheme.automatic + Scheme.automaticRotated).allSatisfy {
                Profiler.usualSchemes.contains($0.kernel)
            })
        for times in profile.kernels {
            #expect(times.points.count == 4, "\(times.scheme)")
            #expect(times.points.allSatisfy { $0.seconds > 0 && $0.preparationSeconds <= $0.seconds })
        }
        try LatencyModel.check(profile)
    }
}
