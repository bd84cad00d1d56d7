import BitplanModels
import BitplanPlanning
import BitplanSensitivity
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat
import TestSupport
import Testing

/// What `auto` leaves where a stage fails, and what it finds out before the first.
@Suite struct AutoStagesTests {
    private static let model = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-bert")
    private let root = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")

    private struct Interruption: Error {}

    private func request() throws -> AutoRequest {
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        let data = root.appending(path: "data.tsv")
        try Data("good film\t1\nnot bad, the film\tgood\t2\nabc def\tneutral\n!\tcontradiction\n".utf8)
            .write(to: data)
        return AutoRequest(
            model: Self.model, source: DataSource(files: [data]), target: PlanTarget(size: .compression(3)),
            sweep: SweepOptions(candidates: [.bcq(1), .bcq(3)]), measuring: MeasuringOptions(fit: .greedy),
            effort: 20,
            output: AutoOutput(
                name: "x", reports: root.appending(path: "r"), plans: root.appending(path: "p"),
                packed: root.appending(path: "packed")))
    }

    private func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path)
    }

    /// An evaluation that fails loses nothing of what was swept, planned and packed before.
    @Test func finishedStagesStay() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        var requests: [EvaluationRequest] = []
        let request = try request()
        #expect(throws: Interruption.self) {
            try auto(
                BertFamily.self, request,
                evaluate: { evaluation in
                    requests.append(evaluation)
                    throw Interruption()
                }, event: { _ in })
        }
        let table = try readTable(root.appending(path: "r/x.sensitivity.json"))
        let plan = try JSONFile.read(Plan.self, from: root.appending(path: "p/x.plan.json"))
        #expect(plan.model == table.model && plan.rounds != nil)
        #expect(exists("packed/model.safetensors") && exists("packed-uniform/bcq1/model.safetensors"))
        #expect(!exists("r/x.comparison.json") && !exists("r/x.md"))
        #expect(requests.map(\.model) == [Self.model] && requests[0].source == request.source)
    }

    /// Everything that was asked for reaches the evaluations, through the text form that another process
    /// reads.
    @Test func requestsTravelWhole() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        var request = try request()
        request.check = DataSource(files: request.source.files, limit: 3)
        request.measuring.task = TaskOptions(
            beams: 3, maximumLength: 7, batchSize: 5, threads: 1, temperature: 0.5, seed: 9)
        var models: [URL] = []
        let rows = try auto(
            BertFamily.self, request,
            evaluate: { evaluation in
                models.append(evaluation.model)
                #expect(evaluation.options == request.measuring.task && evaluation.source == request.check)
                #expect(evaluation.reference == request.model)
                let data = try JSONFile.data(evaluation)
                let read = try JSONFile.decode(
                    EvaluationRequest.self, from: data, file: URL(fileURLWithPath: "request"))
                #expect(read == evaluation)
                return try evaluate(BertFamily.self, read)
            }, event: { _ in })
        #expect(rows.count == models.count && rows[0].evaluation.sentences == 3)
        for windows in [TextWindows(context: 24, stride: nil), TextWindows(context: nil, stride: 3)] {
            let whole = EvaluationRequest(
                model: Self.model, source: DataSource(files: [Self.model], limit: 2, windows: windows),
                profile: root)
            #expect(
                try JSONFile.decode(
                    EvaluationRequest.self, from: JSONFile.data(whole), file: root) == whole)
        }
    }

    /// Outputs that cannot be written, or would be written over inputs or files of others, are found before
    /// the sweep.
    @Test(arguments: [
        "reports is a file", "plans is a file", "packed has other files",
        "a uniform directory has other files",
        "the page is a directory", "the plan is the data", "packed is the model",
    ])
    func outputsAreTriedFirst(_ wrong: String) throws {
        defer { try? FileManager.default.removeItem(at: root) }
        var request = try request()
        func occupy(_ path: String) throws {
            let file = root.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("mine".utf8).write(to: file)
        }
        switch wrong {
        case "reports is a file": try occupy("r")
        case "plans is a file": try occupy("p")
        case "packed has other files": try occupy("packed/letter.txt")
        case "a uniform directory has other files": try occupy("packed-uniform/bcq1/letter.txt")
        case "the page is a directory": try occupy("r/x.html/mine")
        case "the plan is the data":
            try FileManager.default.createDirectory(
                at: root.appending(path: "p"), withIntermediateDirectories: true)
            let data = root.appending(path: "p/x.plan.json")
            try FileManager.default.moveItem(at: request.source.files[0], to: data)
            request.source = DataSource(files: [data])
        default:
            request.output = AutoOutput(
                name: "x", reports: root.appending(path: "r"), plans: root.appending(path: "p"),
                packed: Self.model)
        }
        let before = try FileManager.default.subpathsOfDirectory(atPath: root.path)
        var events = 0
        let error = #expect(throws: FileError.self) {
            try auto(
                BertFamily.self, request, evaluate: { _ in throw Interruption() }, event: { _ in events += 1 }
            )
        }
        #expect(events == 0 && error?.description.contains("\n") == false)
        #expect(try FileManager.default.subpathsOfDirectory(atPath: root.path) == before, "nothing is left")
    }
}
