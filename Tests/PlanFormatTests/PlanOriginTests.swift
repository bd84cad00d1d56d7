import PlanFormat
import Testing

/// Where plans come from has a text form, in files and for people, that says it all.
@Suite struct PlanOriginTests {
    private static let forms: [(PlanOrigin, String)] = [
        (.uniform(.bcq(3)), "uniform bcq3"), (.nearUniform(.full(.fp16)), "near uniform fp16"),
        (.sumOfLosses, "sum of losses"), (.between(.bcq(2), .bcq(3)), "between bcq2 and bcq3"),
        (.preset(.chung(ratio: 1)), "preset chung"), (.preset(.chung(ratio: 8)), "preset chung:8"),
        (.preset(.sensimix(lower: 2, upper: 1)), "preset sensimix:2+1"),
        (.preset(.uniform(.bcq(2))), "preset bcq2"),
        (.inContext, "in context"), (.inContextStep(12), "in context, step 12"),
        (.optimum(bytes: 960_000), "optimum at 960000"), (.named("by hand"), "by hand"),
    ]

    @Test func textFormsComeBack() {
        for (origin, text) in Self.forms {
            #expect(origin.description == text)
            #expect(PlanOrigin(text) == origin)
        }
    }

    /// What only looks like one of them is a name.
    @Test(arguments: [
        "", "uniform", "uniform bcq99", "uniform bcq2 bcq3", "between bcq2 bcq3", "preset none",
        "in context, step two",
        "Sum of losses", "optimum at noon", "near bcq2 uniform",
    ])
    func otherTextsAreNames(_ text: String) {
        #expect(PlanOrigin(text) == .named(text))
    }

    @Test func presetsSayWhatIsWrong() throws {
        #expect(throws: PresetError.unknown("bcq9")) { try Preset(named: "bcq9") }
        for text in [
            "chung:0", "chung:65", "chung:", "chung:x", "sensimix", "sensimix:3", "sensimix:a+b",
            "sensimix:1+2+3",
        ] {
            let error = #expect(throws: PresetError.self, "\(text)") { try Preset(named: text) }
            guard case .malformed(text, _) = error else {
                Issue.record("\(text): \(String(describing: error))")
                continue
            }
        }
        let layout = ModelLayout(
            sublayers: [SublayerShape(name: SublayerName("Other"), matrices: [])], fixedParameters: 0)
        for preset in [Preset.chung(ratio: 1), .sensimix(lower: 1, upper: 1)] {
            #expect(throws: PresetError.self) { try preset.schemes(of: layout, modelType: "other") }
        }
        #expect(try Preset.uniform(.bcq(2)).schemes(of: layout, modelType: "other") == [.bcq(2)])
    }
}
