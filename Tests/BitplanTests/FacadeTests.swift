import Bitplan
import Foundation
import TestSupport
import Testing

/// All that the library does, by its public surface alone.
@Suite struct FacadeTests {
    private static let fixtures = TestFiles.root.appending(path: "Fixtures")
    private static let translation = fixtures.appending(path: "tatoeba-en-de")
    private static let data = TextData(
        ["plan.en", "plan.de"].map { fixtures.appending(path: "data/\($0)") }, limit: 8)
    private static let options = MeasuringOptions(fit: .greedy)

    private func workspace() throws -> URL {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory
    }

    @Test func tunes() throws {
        let workspace = try workspace()
        defer { try? FileManager.default.removeItem(at: workspace) }
        let model = try Model(at: Self.translation)
        var plan = try model.plan(.uniform(.bcq(2)))
        plan.fit = .greedy
        let heldOut = TextData(
            ["check.en", "check.de"].map { Self.fixtures.appending(path: "data/\($0)") }, limit: 8)
        var points = 0
        let (packed, log) = try model.tune(
            plan, on: Self.data,
            options: TuningOptions(length: .steps(3), recipe: .scales, heldOut: heldOut, batchSize: 4),
            to: workspace.appending(path: "tuned")
        ) { _ in points += 1 }
        #expect(points == log.points.count && log.steps == 3)
        #expect(try packed.packedPlan().tuning?.recipe == "scales")
        #expect(try packed.evaluate(on: heldOut, against: model).kl ?? 9 <= log.points[0].heldOut * 1.001)
    }

    @Test func sweepPlanQuantizeRunEvaluateReportExport() throws {
        let workspace = try workspace()
        defer { try? FileManager.default.removeItem(at: workspace) }
        let model = try Model(at: Self.translation)
        #expect(model.type == "marian" && !model.isPacked)
        #expect(model.layout.sublayers.count == 22)

        let table = try model.sweep(Self.data, candidates: [.bcq(2), .bcq(3)], options: Self.options)
        #expect(try table.model == model.identity())
        #expect(table.renderMarkdown().contains("Dec_ffn"))
        let tableFile = workspace.appending(path: "table.json")
        try table.write(to: tableFile)
        #expect(try SensitivityTable(contentsOf: tableFile) == table)

        var rounds = 0
        let plan = try model.plan(
            table, for: Target(size: SizeTarget("10x")), measuredOn: Self.data, options: Self.options,
            effort: 60
        ) { _ in rounds += 1 }
        #expect(plan.rounds?.count == rounds)
        let bytes = try #require(plan.predicted?.bytes)
        #expect(10 * bytes <= model.layout.fullPrecisionBytes)
        let planFile = workspace.appending(path: "plan.json")
        try plan.write(to: planFile)
        #expect(try Plan(contentsOf: planFile) == plan)

        let packed = try model.quantize(plan, text: Self.data, to: workspace.appending(path: "packed"))
        #expect(packed.isPacked && packed.layout == model.layout)
        #expect(try packed.packedPlan().sublayers == plan.sublayers)
        #expect(try packed.answer(["Where is the station?", ""]).count == 2)

        let evaluation = try packed.evaluate(on: Self.data, against: model)
        #expect(evaluation.bytes == bytes && evaluation.sentences == 8)
        #expect(evaluation.kl ?? 0 > 0 && evaluation.metrics["bleu"] != nil)

        let report = workspace.appending(path: "report.md")
        try table.writeReport(named: "small", plan: plan, to: report)
        #expect(try String(contentsOf: report, encoding: .utf8).contains("# small"))
        let page = workspace.appending(path: "report.html")
        try table.writePage(named: "small", plan: plan, to: page)
        #expect(try String(contentsOf: page, encoding: .utf8).contains("<h1>small</h1>"))
        let export = try plan.export(to: .autoRound, for: model.layout, nearest: true)
        #expect(export.settings.count == model.layout.sublayers.flatMap(\.matrices).count)
    }

    /// All stages by one call, with the families' types out of sight.
    @Test func autoLeavesItsFiles() throws {
        let workspace = try workspace()
        defer { try? FileManager.default.removeItem(at: workspace) }
        let data = workspace.appending(path: "data.tsv")
        try Data("good film\t1\nnot bad, the film\tgood\t2\nabc def\tneutral\n".utf8).write(to: data)
        let model = try Model(at: TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-bert"))
        let places = AutoPlaces(
            name: "small", reports: workspace.appending(path: "r"), plans: workspace.appending(path: "p"),
            packed: workspace.appending(path: "packed"))
        let compared = try model.auto(
            TextData([data]), for: Target(size: SizeTarget("3x")), candidates: [.bcq(1), .bcq(3)],
            options: Self.options, effort: 10, to: places)
        #expect(compared.first?.name == "full precision" && compared.first?.evaluation.kl == 0)
        #expect(compared.last?.name.hasPrefix("plan (") == true)
        let plan = try Plan(contentsOf: workspace.appending(path: "p/small.plan.json"))
        let packed = try Model(at: places.packed)
        #expect(try packed.packedPlan().sublayers == plan.sublayers)
        let table = try SensitivityTable(contentsOf: workspace.appending(path: "r/small.sensitivity.json"))
        #expect(try table.model == model.identity())
    }

    /// A plan without measuring holds every limit that it is given.
    @Test func targetsAreHeld() throws {
        let table = try SensitivityTable(
            contentsOf: TestFiles.root.appending(path: "Reports/demo.sensitivity.json"))
        var target = Target(size: SizeTarget("9x"))
        let codes = (1...3).map { Scheme.binaryCodes(bits: $0, group: nil, alphas: .fp16) }
        target.allowed = [("Dec_ffn", [codes[0], codes[1]]), ("Emb", [codes[2]])]
        target.tie = .types
        let schemes = try table.plan(for: target).schemes(of: table.layout)
        #expect(9 * table.layout.sizeInBytes(schemes) <= table.layout.fullPrecisionBytes)
        for kind in Set(table.layout.sublayers.map(\.name.kind)) {
            let own = zip(table.layout.sublayers, schemes).filter { $0.0.name.kind == kind }.map(\.1)
            #expect(Set(own).count == 1)
            if kind == .embedding { #expect(own == [codes[2]]) }
            if kind == .decoderFeedForward { #expect([codes[0], codes[1]].contains(own[0])) }
        }
    }

    @Test func everyErrorIsOneLine() throws {
        let nowhere = TestFiles.root.appending(path: "Fixtures/nowhere")
        let error = #expect(throws: BitplanError.self) { try Model(at: nowhere) }
        #expect(error?.description.contains("nowhere") == true)
        #expect(error?.description.contains("\n") == false)
        let model = try Model(at: Self.translation)
        #expect(throws: BitplanError.self) { try model.plan(.sensimix(lower: 9, upper: 9)) }
        #expect(throws: BitplanError.self) {
            try model.quantize(try model.plan(.uniform(.bcq(2)), fit: .calibrated), to: nowhere)
        }
        #expect(!FileManager.default.fileExists(atPath: nowhere.path))
        #expect(throws: BitplanError.self) {
            try model.sweep(TextData([nowhere]), candidates: [.bcq(2)], options: Self.options)
        }
    }
}
