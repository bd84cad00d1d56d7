import BitplanTensors
import Foundation
import PlanFormat
import Testing

@Suite struct JSONTests {
    @Test func keysAreSortedAndBytesRepeat() throws {
        let plan = Plan(
            model: ModelIdentity(type: "marian", sha256: "00"),
            sublayers: ["b": .bcq(2), "a": .bcq(3), "c": .fp32])
        let data = try JSONFile.data(plan)
        #expect(try JSONFile.data(plan) == data)
        let text = String(decoding: data, as: UTF8.self)
        let places = try ["\"a\"", "\"b\"", "\"c\""].map { try #require(text.range(of: $0)).lowerBound }
        #expect(places == places.sorted())
        #expect(try JSONFile.decode(Plan.self, from: data, file: URL(fileURLWithPath: "plan.json")) == plan)
    }
}
