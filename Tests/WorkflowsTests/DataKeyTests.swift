import BitplanMeasurements
import BitplanMetrics
import BitplanModels
import BitplanWorkflows
import Foundation
import PlanFormat
import TestSupport
import Testing

/// What a store keeps is found by the data that it was measured on, and by no other data.
@Suite struct DataKeyTests {
    private let directory = FileManager.default.temporaryDirectory.appending(
        path: "bitplan-\(UUID().uuidString)")

    private func file(_ name: String, _ text: String) throws -> URL {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let file = directory.appending(path: name)
        try Data(text.utf8).write(to: file)
        return file
    }

    /// Two files are not the file that holds both, whatever stands where they meet; the order and what is
    /// read of them count, names do not.
    @Test func everyReadingIsAnotherKey() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let (q, d) = (try file("q", "good film\n"), try file("d", "bad film\n"))
        let joined = try file("qd", "good film\nbad film\n")
        let moved = [try file("q2", "good film\nbad "), try file("d2", "film\n")]
        let sources = [
            DataSource(files: [q, d]), DataSource(files: [d, q]), DataSource(files: [joined]),
            DataSource(files: moved), DataSource(files: [q]), DataSource(files: [q, d, try file("e", "")]),
            DataSource(files: [q, d], limit: 1), DataSource(files: [q, d], limit: 11),
            DataSource(files: [q, d], windows: TextWindows(context: 1, stride: 1)),
            DataSource(files: [q, d], windows: TextWindows(context: 11, stride: nil)),
            DataSource(files: [q, d], limit: 1, windows: TextWindows(context: 1, stride: nil)),
            DataSource(files: [q, d], targets: .own), DataSource(files: [q, d], limit: 1, targets: .own),
        ]
        let keys = try sources.map { try $0.contentHash() }
        #expect(Set(keys).count == sources.count, "\(keys)")
        let copies = DataSource(files: [try file("a", "good film\n"), try file("b", "bad film\n")])
        #expect(try copies.contentHash() == keys[0], "the content counts, not the name")
    }

    /// A store that was asked for one reading does not answer with another's numbers.
    @Test func theStoreAnswersForItsOwnDataOnly() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let (q, d) = (try file("q", "good film\t1\n"), try file("d", "bad film\t0\n"))
        let joined = try file("qd", "good film\t1\nbad film\t0\n")
        let store = try MeasurementStore(directory.appending(path: "store.sqlite"))
        let model = try Model<BertFamily>(
            directory: TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/tiny-bert"))
        func records(_ files: [URL], calibration: [URL]? = nil) throws -> StoredExperiment {
            try StoredExperiment(
                try Experiment(
                    model, try model.identity(), source: DataSource(files: files),
                    calibration: calibration.map { DataSource(files: $0) }, fit: .greedy),
                in: store)
        }
        let assignment = model.layout.sublayers.map { _ in Scheme.bcq(2) }
        let loss = TokenLoss(nats: 1.5053, tokens: 1)
        let score = ItemScore(loss: ItemLoss(kl: loss, crossEntropy: loss))
        let right = MetricItems.accuracy(isRight: [true])
        try records([q, d]).record([score], of: assignment)
        try records([q, d]).record(right, metric: "m", of: assignment)
        #expect(try records([q, d]).cell(assignment) == StoredCell(items: [score], metrics: ["m": right]))
        #expect(try records([q, d], calibration: [q, d]).cell(assignment).items == [score], "the same text")
        for others in [
            try records([joined]), try records([d, q]), try records([q, d], calibration: [joined]),
        ] {
            #expect(try others.cell(assignment) == StoredCell())
        }
    }
}
