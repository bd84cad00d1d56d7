import Foundation
import PlanFormat
import TestSupport
import Testing

/// Budgets, pins and profiles on the command line.
@Suite struct TargetTests {
    /// A machine on which a product takes a nanosecond for 64 multiplications.
    private static func profile(_ schemes: [Scheme], version: Int = 1) throws -> Data {
        let points = [8, 8192].flatMap { rows in
            [8, 8192].flatMap { columns in
                [1, 64].map { tokens in
                    LatencyProfile.KernelPoint(
                        rows: rows, columns: columns, tokens: tokens, workingSetBytes: 1 << 20,
                        seconds: 1e-9 * Double(rows * columns * tokens) / 64, spread: 0,
                        preparationSeconds: 0)
                }
            }
        }
        var profile = LatencyProfile(
            tool: "test",
            machine: .init(processor: "none", instructions: "none", referenceSeconds: 1e-6, disturbance: 0),
            kernels: schemes.enumerated().map { place, scheme in
                LatencyProfile.KernelTimes(
                    scheme: scheme, points: points, lookups: [.init(columns: 8, seconds: 1e-8)]
                ).scaled(by: Double(1 + place))
            },
            overheads: [
                .init(
                    modelType: "marian", seconds: ["item": 1e-5], spread: 0, sharesPreparations: false)
            ])
        profile.schemaVersion = version
        return try JSONEncoder().encode(profile)
    }

    @Test func latencyBudgetIsKept() throws {
        let workspace = try Workspace()
        try workspace.write(try Self.profile([.bcq(2), .bcq(3)]), to: "profile.json")
        let arguments = [
            "plan", try Fixture.table.get().path, "--profile", workspace.path("profile.json"), "--json",
        ]
        let free = try Program.succeed(arguments + ["--size", "8x"]).object()
        let seconds = try #require((free["predicted"] as? [String: Any])?["seconds"] as? Double)
        let plan = try Program.succeed(arguments + ["--latency", "\(seconds * 800)ms"]).object()
        let predicted = try #require(plan["predicted"] as? [String: Any])
        #expect(try #require(predicted["seconds"] as? Double) <= 0.8 * seconds)
        let certificate = try #require(plan["certificate"] as? [String: Any])
        #expect(certificate["status"] as? String == "optimal")
        #expect((certificate["limits"] as? [String: Double])?["seconds"] != nil)
        try expectRefusal(
            arguments + ["--latency", "1us"], in: workspace,
            saying: ["seconds of at most 1e-06 cannot be met", "over by"])
    }

    @Test func pinsTiesAndLossLimits() throws {
        let table = try Fixture.table.get().path
        func sublayers(_ options: [String]) throws -> [String: String] {
            let plan = try Program.succeed(["plan", table, "--json"] + options).object()
            return try #require(plan["sublayers"] as? [String: String])
        }
        let pinned = try sublayers(["--size", "11x", "--pin", "Dec_ed.3=bcq3", "--pin", "Emb=bcq2"])
        #expect(pinned["Dec_ed.3"] == "bcq3" && pinned["Emb"] == "bcq2")
        let tied = try sublayers(["--size", "10x", "--tie", "types"])
        for type in ["Enc_ee", "Enc_ffn", "Dec_dd", "Dec_ed", "Dec_ffn"] {
            #expect(Set((0..<4).map { tied["\(type).\($0)"] }).count == 1, "\(type)")
        }
        for bits in ["3", "2.5"] {
            let wide = try sublayers(["--size", "8x", "--min-bits", bits]).filter { $0.key != "Vectors" }
            #expect(Set(wide.values) == ["bcq3"])
        }
        let plan = try Program.succeed(["plan", table, "--json", "--max-loss", "1.5"]).object()
        #expect(try #require((plan["predicted"] as? [String: Any])?["klNats"] as? Double) <= 1.5)
        #expect((plan["certificate"] as? [String: Any])?["minimized"] as? String == "bytes")
        let energy = try Program.succeed(["plan", table, "--json", "--energy", "1J"]).object()
        #expect(try #require((energy["predicted"] as? [String: Any])?["joules"] as? Double) < 1e-3)
    }

    @Test func wrongTargetsAreOneLine() throws {
        let workspace = try Workspace()
        let table = try Fixture.table.get().path
        try workspace.write(try Self.profile([.bcq(2)]), to: "profile.json")
        try workspace.write(try Self.profile([.bcq(2), .bcq(3)], version: 9), to: "other.json")
        try workspace.write(Data("{}".utf8), to: "empty.json")
        func profile(_ name: String) -> [String] {
            ["--latency", "40ms", "--profile", workspace.path(name)]
        }
        for (options, parts) in [
            ([], ["expected a budget", "--size", "--max-loss"]),
            (["--latency", "40ms"], ["--profile"]),
            (["--latency", "40"], ["--latency", "such as 40ms"]),
            (["--energy", "-1mJ"], ["--energy", "above 0"]),
            (["--size", "11x", "--pin", "Dec_xx=bcq2"], ["no sublayer is called 'Dec_xx'"]),
            (["--size", "11x", "--pin", "Emb=bcq2,bcq3"], ["--pin", "--allow takes several"]),
            (["--size", "11x", "--allow", "Emb=int4"], ["'Emb' has only bcq2, bcq3"]),
            (["--size", "12x", "--min-bits", "3"], ["bytes of at most", "smallest achievable"]),
            (["--size", "11x", "--min-bits", "nan"], ["--min-bits", "expected 1 to 32"]),
            (["--size", "11x", "--minimize", "bytes"], ["--max-loss"]),
            (["--max-loss", "0"], ["--max-loss"]),
            (profile("missing.json"), ["missing.json"]),
            (profile("empty.json"), ["empty.json", "is missing"]),
            (profile("other.json"), ["other.json", "schemaVersion 9"]),
            (profile("profile.json"), ["profile.json", "no kernel times of bcq3", "--schemes bcq3"]),
        ] as [([String], [String])] {
            try expectRefusal(["plan", table] + options, in: workspace, saying: parts)
        }
    }

    @Test func costsOfPlansThatNobodyEncoded() throws {
        let workspace = try Workspace()
        try workspace.write(try Self.profile([.bcq(2), .bcq(3)]), to: "profile.json")
        let arguments = ["cost", Fixture.model.path, "--plans", "bcq2", "bcq3", "--json"]
        func rows(_ options: [String]) throws -> [[String: Any]] {
            let output = try Program.succeed(arguments + options).output
            return try #require(try JSONSerialization.jsonObject(with: output) as? [[String: Any]])
        }
        let plain = try rows([])
        #expect(plain.count == 2 && plain.allSatisfy { $0["seconds"] == nil && $0["joules"] != nil })
        #expect(plain.first?["bytes"] as? Int == 742_248)
        let timed = try rows(["--profile", workspace.path("profile.json"), "--measure", "--rounds", "1"])
        for row in timed {
            #expect(try #require(row["seconds"] as? Double) > 0)
            #expect(try #require(row["measuredSeconds"] as? Double) > 0)
        }
        try expectRefusal(
            ["cost", Fixture.model.path, "--plans", "bcq9"], in: workspace, saying: ["'bcq9'"])
        try expectRefusal(
            ["cost", Fixture.model.path, "--plans", "bcq4", "--profile", workspace.path("profile.json")],
            in: workspace, saying: ["profile.json", "no kernel times of bcq4"])
    }

    @Test func evaluationTimesSentencesAlone() throws {
        let workspace = try Workspace()
        try workspace.write(try Self.profile([.fp32]), to: "profile.json")
        let result = try Program.succeed(
            ["evaluate", Fixture.model.path, "--limit", "4", "--timed", "2", "--json"]
                + ["--profile", workspace.path("profile.json"), "--data"] + Fixture.checking
        ).object()
        let alone = try #require(result["alone"] as? [String: Any])
        #expect(alone["sentences"] as? Int == 2)
        for key in ["seconds", "predictedSeconds", "meanRead", "meanPredictions"] {
            #expect(try #require(alone[key] as? Double) > 0, "\(key)")
        }
    }
}
