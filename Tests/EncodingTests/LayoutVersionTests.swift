import BitplanEncoding
import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat
import Testing

/// Packed tensors say in which form they are, and are not read in another.
@Suite struct LayoutVersionTests {
    private static let file = "model.safetensors"

    /// Opens a packed model whose tensors carry other metadata.
    private func open(metadata: [String: String]?) throws {
        let bench = try Bench.shared.get()
        let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        let layout = bench.model.layout
        let schemes = layout.uniform(.bcq(1))
        let encoder = PlanEncoder(
            Encodings(bench.model, fit: .greedy), bench.network, text: [],
            calibration: try .init(bench.network, [], fit: .greedy), threads: 1)
        try PackedModel.write(
            bench.model,
            Plan.naming(
                schemes, of: layout, model: ModelIdentity(type: "marian", sha256: "00"),
                origin: .uniform(.bcq(1)),
                fit: .greedy),
            to: directory, packed: try encoder.encode(layout.tensorSchemes(schemes)))
        if let metadata {
            let file = directory.appending(path: Self.file)
            let tensors = try Safetensors(file)
            // The tensors stay where the header says, in the order in which they were written.
            let names = tensors.entries.sorted { $0.value.range.lowerBound < $1.value.range.lowerBound }
            let bytes = try Dictionary(
                uniqueKeysWithValues: names.map { ($0.key, Data(try tensors.bytes($0.key))) })
            try SafetensorsWriter.write(
                names.map { .init(name: $0.key, type: $0.value.type, shape: $0.value.shape) },
                metadata: metadata.merging(["constants": bench.model.constants.text]) { $1 }, to: file
            ) { bytes[$0.name] ?? Data() }
        }
        let packed = try PackedModel<MarianFamily>(directory: directory)
        #expect(packed.sizeInBytes == layout.sizeInBytes(schemes))
        _ = try packed.network()
    }

    @Test func ownVersionIsRead() throws {
        try open(metadata: nil)
        try open(metadata: ["layout_version": "\(PackedModel<MarianFamily>.layoutVersion)"])
    }

    @Test func othersAreRefused() throws {
        let version = PackedModel<MarianFamily>.layoutVersion
        let other = #expect(throws: FileError.self) {
            try open(metadata: ["format": "bitplan", "layout_version": "\(version + 1)"])
        }
        #expect(other?.message == "written by layout version \(version + 1), this program reads \(version)")
        let none = #expect(throws: FileError.self) { try open(metadata: ["format": "bitplan"]) }
        #expect(none?.message.hasPrefix("names no layout version, expected \(version)") == true)
        #expect(none?.path.hasSuffix(Self.file) == true)
    }
}
