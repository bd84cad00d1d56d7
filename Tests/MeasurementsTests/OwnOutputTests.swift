import BitplanMeasurements
import BitplanTensors
import Foundation
import GRDB
import Testing

/// What a model itself says of data, kept beside what was measured.
@Suite struct OwnOutputTests {
    private func key(_ weights: String = "w", version: Int = Experiment.currentVersion) -> OwnOutputKey {
        OwnOutputKey(
            weights: weights, configuration: "c", inputs: "i", decoding: "greedy", version: version)
    }

    private let outputs = [[5, 0], [], [127, 128, 65_535, 0], [16_384]]

    @Test func everyPartOfTheKeyCounts() throws {
        let directory = try StoreDirectory()
        let store = try MeasurementStore(directory.file("a"))
        #expect(try store.ownOutputs(key()) == nil)
        try store.record(outputs, of: key())
        try store.record([[1]], of: key())
        #expect(try store.ownOutputs(key()) == outputs, "what is kept stays")
        #expect(try MeasurementStore(directory.file("a")).ownOutputs(key()) == outputs)
        for change: (inout OwnOutputKey) -> Void in [
            { $0.weights = "x" }, { $0.configuration = "x" }, { $0.inputs = "x" }, { $0.decoding = "beam" },
            { $0.version += 1 },
        ] {
            var other = key()
            change(&other)
            #expect(try store.ownOutputs(other) == nil, "\(other)")
        }
        try store.record([], of: key("no items"))
        #expect(try store.ownOutputs(key("no items")) == [])
        #expect(try store.summary().ownOutputs == 2)
    }

    @Test func mergedAndPruned() throws {
        let directory = try StoreDirectory()
        let (a, b) = (try MeasurementStore(directory.file("a")), try MeasurementStore(directory.file("b")))
        try a.record(outputs, of: key())
        try b.record([[1]], of: key())
        try b.record([[2]], of: key("other"))
        try b.record([[3]], of: key(version: Experiment.currentVersion - 1))
        #expect(try a.merge(b).ownOutputs == 2)
        #expect(try a.merge(b).ownOutputs == 0, "once more adds nothing")
        #expect(try a.ownOutputs(key()) == outputs, "its own stay")
        #expect(try a.ownOutputs(key("other")) == [[2]])
        #expect(try a.prune().ownOutputs == 1)
        #expect(try a.ownOutputs(key(version: Experiment.currentVersion - 1)) == nil)
        #expect(try a.ownOutputs(key("other")) == [[2]] && a.summary().ownOutputs == 2)
    }

    /// A changed token would be believed by every measurement after it.
    @Test func damageIsNoticed() throws {
        let directory = try StoreDirectory()
        let file = directory.file("a")
        let store = try MeasurementStore(file)
        try store.record(outputs, of: key())
        for sql in [
            "UPDATE own_output SET record = x'020601'", "UPDATE own_output SET inputs = 'j'",
            "UPDATE own_output SET record = x'05'", "UPDATE own_output SET record = 'text'",
        ] {
            try DatabaseQueue(path: file.path).write { try $0.execute(sql: sql) }
            #expect(throws: FileError.self, "\(sql)") { try store.check() }
            try DatabaseQueue(path: file.path).write { try $0.execute(sql: "DELETE FROM own_output") }
            try store.record(outputs, of: key())
            #expect(try store.ownOutputs(key()) == outputs)
        }
    }

    /// A store of the first schema gets what it lacks, and keeps what it has.
    @Test func olderStoresAreBroughtUpToDate() throws {
        let directory = try StoreDirectory()
        let file = directory.file("a")
        var generator = SeededGenerator(seed: 3)
        let losses = generator.losses(20)
        do {
            let store = try MeasurementStore(file)
            try StoredExperiment(.test(), in: store).record(losses, of: numbered(1))
        }
        try DatabaseQueue(path: file.path).writeWithoutTransaction {
            try $0.execute(sql: "DROP TABLE own_output")
            try $0.execute(sql: "PRAGMA user_version = 1")
        }
        let store = try MeasurementStore(file)
        #expect(try store.summary().schema == MeasurementStore.currentSchema)
        #expect(sameBits(try StoredExperiment(.test(), in: store).cell(numbered(1)).items, losses))
        try store.record(outputs, of: key())
        #expect(try MeasurementStore(file).ownOutputs(key()) == outputs)
    }
}
