import BitplanMeasurements
import BitplanMetrics
import BitplanTensors
import Foundation
import GRDB
import PlanFormat
import Testing

/// Stores of several machines in one.
@Suite struct MergeTests {
    @Test func addsWhatIsMissingAndKeepsTheLonger() throws {
        let directory = try StoreDirectory()
        let (a, b) = (try MeasurementStore(directory.file("a")), try MeasurementStore(directory.file("b")))
        var generator = SeededGenerator(seed: 7)
        let losses = generator.losses(20)
        let other = generator.losses(20)
        func short(_ count: Int) -> [ItemScore] { Array(losses[..<count]) }
        func metric(_ nats: Double) -> MetricItems { .perplexity([TokenLoss(nats: nats, tokens: 1)]) }
        // Ids of experiments differ between the files.
        let aSecond = try StoredExperiment(.test("second"), in: a)
        let (aFirst, bFirst) = (try StoredExperiment(.test(), in: a), try StoredExperiment(.test(), in: b))
        let (bThird, bSecond) = (
            try StoredExperiment(.test("third"), in: b), try StoredExperiment(.test("second"), in: b)
        )
        try aFirst.record(short(5), of: numbered(1))
        try aFirst.record(short(9), of: numbered(2))
        try aFirst.record(losses, of: numbered(3))
        try bFirst.record(short(9), of: numbered(1))
        try bFirst.record(short(5), of: numbered(2))
        try bFirst.record(other, of: numbered(3))
        try aSecond.record(short(4), of: numbered(1))
        try aSecond.record(metric(1), metric: "m", of: numbered(1))
        try bSecond.record(short(4), of: numbered(1))
        try bSecond.record(short(6), of: numbered(4))
        try bSecond.record(metric(2), metric: "m", of: numbered(1))
        try bSecond.record(metric(3), metric: "n", of: numbered(1))
        try bThird.record(short(7), of: numbered(1))
        _ = try bThird.turn(numbered(2)) { _ in false }

        let result = try a.merge(b)
        #expect(result.cells == 2 && result.longer == 1 && result.metrics == 1 && result.different == 1)
        #expect(sameBits(try aFirst.cell(numbered(1)).items, short(9)))
        #expect(sameBits(try aFirst.cell(numbered(2)).items, short(9)))
        #expect(sameBits(try aFirst.cell(numbered(3)).items, losses), "its own stay")
        #expect(try aSecond.cell(numbered(1)).metrics == ["m": metric(1), "n": metric(3)])
        #expect(sameBits(try aSecond.cell(numbered(4)).items, short(6)))
        let third = try StoredExperiment(.test("third"), in: a)
        #expect(sameBits(try third.cell(numbered(1)).items, short(7)))
        if case .others = try third.turn(numbered(2), isEnough: { _ in false }) {
            Issue.record("claims are nobody else's")
        }
        let again = try a.merge(b)
        #expect(
            again.cells + again.longer + again.metrics == 0 && again.different == 1, "once more adds nothing")

        // Back again: both have the same.
        _ = try b.merge(a)
        #expect(
            try b.summary().experiments.map(\.items).sorted() == a.summary().experiments.map(\.items).sorted()
        )
    }

    @Test func copiesAreWhole() throws {
        let directory = try StoreDirectory()
        let a = try MeasurementStore(directory.file("a"))
        var generator = SeededGenerator(seed: 8)
        let losses = generator.losses(20)
        let cells = try StoredExperiment(.test(), in: a)
        try cells.record(losses, of: numbered(1))
        _ = try cells.turn(numbered(2)) { _ in false }
        try Data("old".utf8).write(to: directory.file("copy"))
        try a.copy(to: directory.file("copy"))
        let copy = try MeasurementStore(directory.file("copy"))
        #expect(sameBits(try StoredExperiment(.test(), in: copy).cell(numbered(1)).items, losses))
        #expect(try copy.summary().experiments.map(\.claims) == [0])
        #expect(throws: FileError.self) { try a.copy(to: directory.file("a/below")) }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.root.path).allSatisfy {
                !$0.hasSuffix("part")
            })
    }

    @Test func damagedStoresAreNotMerged() throws {
        let directory = try StoreDirectory()
        let (a, b) = (try MeasurementStore(directory.file("a")), try MeasurementStore(directory.file("b")))
        var generator = SeededGenerator(seed: 9)
        for number in 0..<4 {
            try StoredExperiment(.test(), in: b).record(generator.losses(9), of: numbered(number))
        }
        try DatabaseQueue(path: directory.file("b").path).write {
            try $0.execute(sql: "UPDATE cell SET record = zeroblob(length(record)) WHERE rowid = 3")
        }
        #expect(throws: FileError.self) { try a.merge(b) }
        #expect(try a.summary().experiments.isEmpty, "nothing of it")
    }
}
