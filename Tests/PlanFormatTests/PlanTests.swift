import Foundation
import PlanFormat
import TestSupport
import Testing

/// The plan file: what it says of a model, what it refuses, and its schema.
@Suite struct PlanTests {
    static let identity = ModelIdentity(type: "marian", sha256: String(repeating: "ab", count: 32))

    private func read(_ text: String) throws -> Plan {
        try JSONDecoder().decode(Plan.self, from: Data(text.utf8))
    }

    private func plan(_ sublayers: [String: Scheme]) -> Plan {
        Plan(model: Self.identity, sublayers: sublayers)
    }

    /// An exact name goes before a type, a type before `Type.*`, that before `*`.
    @Test func mostSpecificKeyWins() throws {
        let layout = ChungTableTests.paper
        let schemes = try plan([
            "*": .bcq(1), "Enc_ffn.*": .bcq(2), "Enc_ffn.3": .bcq(4), "Dec_dd": .bcq(3), "Dec_dd.*": .bcq(5),
            "Dec_dd.0": .fp32,
        ]).schemes(of: layout)
        for (sublayer, scheme) in zip(layout.sublayers, schemes) {
            let expected: Scheme =
                switch (sublayer.name.kind, sublayer.name.depth) {
                case ("Enc_ffn", 3): .bcq(4)
                case ("Enc_ffn", _): .bcq(2)
                case ("Dec_dd", 0): .fp32
                case ("Dec_dd", _): .bcq(3)
                default: .bcq(1)
                }
            #expect(scheme == expected, "\(sublayer.name)")
        }
    }

    @Test func whatDoesNotFitTheModel() throws {
        let layout = ChungTableTests.paper
        #expect(throws: PlanError.unknownSublayer("Enc_ee.6")) {
            try plan(["*": .bcq(2), "Enc_ee.6": .bcq(2)]).schemes(of: layout)
        }
        #expect(throws: PlanError.unknownSublayer("enc_ee")) {
            try plan(["*": .bcq(2), "enc_ee": .bcq(2)]).schemes(of: layout)
        }
        #expect(throws: PlanError.missingSublayer(SublayerName("Enc_ee", depth: 0))) {
            try plan(["Emb": .bcq(2)]).schemes(of: layout)
        }
        let other = ModelIdentity(type: "marian", sha256: String(repeating: "cd", count: 32))
        #expect(throws: PlanError.otherModel(expected: Self.identity, got: other)) {
            try plan(["*": .bcq(2)]).check(for: other)
        }
        try plan(["*": .bcq(2)]).check(for: Self.identity)
    }

    @Test func namedPlanCountsItsBytes() throws {
        let layout = ChungTableTests.paper
        let schemes = try #require(layout.chung())
        let plan = Plan.naming(schemes, of: layout, model: Self.identity, origin: .named("x"), fit: .greedy)
        #expect(try plan.schemes(of: layout) == schemes)
        #expect(plan.predicted?.bytes == layout.sizeInBytes(schemes))
        #expect(plan.predicted?.fixedBytes == 4 * 63_488)
    }

    private static func measured(_ origin: PlanOrigin) -> Plan.MeasuredPlan {
        let difference = Difference(value: -0.5, interval: Interval(low: -1.25, high: 0.25))
        return Plan.MeasuredPlan(
            origin: origin, bytes: 10, klNats: 0.1, klInterval: Interval(low: 0.08, high: 0.12), metric: 30.5,
            metricInterval: Interval(low: 29, high: 32.5),
            against: PairedComparison(
                name: "uniform bcq2", items: 200, klNats: difference, metric: difference),
            setAside: .metric)
    }

    private static let full = Plan(
        model: identity, origin: .inContext, fit: .calibrated,
        sublayers: ["Emb": .bcq(3), "Enc_ffn.*": .bcq(2)],
        predicted: .init(
            bytes: 10, fixedBytes: 4, klNats: 0.1, klInterval: Interval(low: 0.09, high: 0.12), seconds: 0.02,
            joules: 0.003),
        certificate: .init(
            status: .optimal, budgetBytes: 11, objective: 0.1, lowerBound: 0.1, gap: 0, minimized: .bytes,
            limits: .init(loss: 0.2)),
        measured: [measured(.inContext)],
        overBudget: [measured(.uniform(.bcq(4)))],
        rounds: [
            .init(
                moves: 2, predictedKL: 0.11, predictedInterval: Interval(low: 0.1, high: 0.13),
                measuredKL: 0.1, isAccepted: true)
        ],
        steps: [
            .init(
                sublayer: SublayerName("Enc_ffn", depth: 1), scheme: .bcq(3), bytesChange: 4, klChange: -0.01,
                standardError: 0.001)
        ],
        provenance: Provenance(
            tool: "bitplan", dataSHA256: identity.sha256, sentences: 3, metric: "BLEU",
            calibrationSHA256: identity.sha256, targets: .own),
        tuning: Plan.Tuning(
            recipe: "scales", steps: 3, dataSHA256: identity.sha256, seed: 1, klBefore: 0.2, klAfter: 0.1))

    @Test func readsWhatItWrites() throws {
        let data = try JSONEncoder().encode(Self.full)
        #expect(try JSONDecoder().decode(Plan.self, from: data) == Self.full)
    }

    /// Files from before plans were compared have values alone.
    @Test func measuredPlansMayHaveNoIntervals() throws {
        let sha = Self.identity.sha256
        func plan(_ more: String) throws -> Plan {
            try read(
                #"{"model": {"type": "marian", "sha256": "\#(sha)"}, "sublayers": {"*": "bcq3"}, "#
                    + #""measured": [{"name": "uniform bcq2", "bytes": 10, "klNats": 0.1\#(more)}]}"#)
        }
        let measured = try plan("").measured
        #expect(measured == [.init(origin: .uniform(.bcq(2)), bytes: 10, klNats: 0.1, metric: nil)])
        #expect(
            try plan(#", "klInterval": [0.05, 0.2]"#).measured?.first?.klInterval
                == Interval(low: 0.05, high: 0.2))
        for bad in ["[0.2]", "[0.2, 0.1]", "[0.1, 0.2, 0.3]", "0.1", #"["a", "b"]"#] {
            #expect(throws: DecodingError.self) { try plan(#", "klInterval": \#(bad)"#) }
        }
        #expect(throws: DecodingError.self) { try plan(#", "setAside": "mood""#) }
    }

    @Test func modelAndSublayersSuffice() throws {
        let sha = Self.identity.sha256
        let plan = try read(
            #"{"model": {"type": "marian", "sha256": "\#(sha)"}, "sublayers": {"*": "bcq3:g64"}}"#)
        #expect(plan.schemaVersion == 1 && plan.fit == nil && plan.predicted == nil)
        #expect(plan.sublayers == ["*": .binaryCodes(bits: 3, group: 64, alphas: .fp32)])
    }

    @Test(arguments: [
        #""sublayers": {"*": "bcq3"}, "schemaVersion": 2"#, #""sublayers": {"*": "bcq3"}, "sublayer": {}"#,
        #""sublayers": {"*": "bcq9"}"#, #""sublayers": {"*": 3}"#, #""sublayers": ["bcq3"]"#, #""name": "x""#,
        #""sublayers": {"*": "bcq3"}, "fit": "magic""#, #""sublayers": {"*": "bcq3"}, "schemaVersion": "1""#,
    ])
    func whatIsNoPlanIsRefused(_ rest: String) {
        let model = #""model": {"type": "marian", "sha256": "\#(Self.identity.sha256)"}"#
        #expect(throws: DecodingError.self) { try read("{\(model), \(rest)}") }
    }

    /// The schema and the type have the same keys, in every object of a plan that has them all.
    @Test func schemaHasTheKeysOfThePlan() throws {
        let file = TestFiles.root.appending(path: "Plans/plan.schema.json")
        let schema = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        let plan = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(Self.full)) as? [String: Any])
        let definitions = try #require(schema["$defs"] as? [String: [String: Any]])
        func compare(_ value: Any, _ schema: [String: Any], _ path: String) throws {
            var schema = schema
            if let name = (schema["$ref"] as? String)?.split(separator: "/").last {
                schema = try #require(definitions[String(name)], "\(path)")
            }
            if let list = value as? [Any] {
                for item in list {
                    try compare(item, try #require(schema["items"] as? [String: Any]), path + "[]")
                }
            }
            // Objects with keys of their own.
            let isOpen = ["plan.sublayers", "plan.certificate.limits"].contains(path)
            guard let object = value as? [String: Any], !isOpen else { return }
            let properties = try #require(schema["properties"] as? [String: Any], "\(path)")
            #expect(Set(object.keys) == Set(properties.keys), "\(path)")
            #expect(schema["additionalProperties"] as? Bool == false, "\(path)")
            #expect(Set(schema["required"] as? [String] ?? []).isSubset(of: properties.keys), "\(path)")
            for (key, value) in object {
                let property = try #require(properties[key] as? [String: Any])
                if key != "schemaVersion" || path != "plan" {
                    #expect(property["description"] is String, "\(path).\(key)")
                }
                try compare(value, property, "\(path).\(key)")
            }
        }
        try compare(plan, schema, "plan")
    }
}
