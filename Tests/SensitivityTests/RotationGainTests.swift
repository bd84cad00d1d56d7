import BitplanModels
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat
import TestSupport
import Testing

/// Rotated codes are tried by themselves where weights have outliers, and only there.
@Suite struct RotationGainTests {
    private let fixtures = TestFiles.root.appending(path: "Fixtures")

    @Test func modelsWithoutOutliersKeepTheirCandidates() throws {
        let translation = try Model<MarianFamily>(directory: fixtures.appending(path: "tatoeba-en-de"))
        let classifier = try Model<BertFamily>(directory: fixtures.appending(path: "sst2-bert"))
        let gains = [try RotationGain.of(translation), try RotationGain.of(classifier)]
        for gain in gains { #expect(try #require(gain) < 0.01) }
        let options = SweepOptions(candidates: Scheme.automatic)
        #expect(try options.adapted(to: translation).candidates == Scheme.automatic)
        #expect(try options.adapted(to: classifier).candidates == Scheme.automatic)
    }

    @Test func outliersBringRotatedCandidates() throws {
        try withModel(changedBy: withOutliers) { model in
            #expect(try #require(try RotationGain.of(model)) > 0.3)
            let adapted = try SweepOptions(candidates: Scheme.automatic).adapted(to: model)
            #expect(adapted.candidates == Scheme.automatic + Scheme.automaticRotated)
            #expect(adapted.groupCandidates == Scheme.automaticForTypes)
            // Who names schemes gets those.
            let named = SweepOptions(candidates: [.bcq(2), .trellisCodes(bits: 3)])
            #expect(try named.adapted(to: model).candidates == named.candidates)
        }
    }

    @Test func weightsBeyondFP16AreNamed() throws {
        let tensor = "model.encoder.layers.1.fc1.weight"
        try withModel(changedBy: { try withLargeNumber($0, in: tensor) }) { model in
            let error = #expect(throws: FileError.self) { _ = try RotationGain.of(model) }
            let line = try #require(error).description
            #expect(line.contains("model.safetensors") && line.contains(tensor), "\(line)")
        }
    }

    /// The translation model with a changed file of weights.
    private func withModel(
        changedBy change: (Data) throws -> Data, _ body: (Model<MarianFamily>) throws -> Void
    ) throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "bitplan-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.copyItem(at: fixtures.appending(path: "tatoeba-en-de"), to: directory)
        let file = directory.appending(path: "model.safetensors")
        try change(Data(contentsOf: file)).write(to: file)
        try body(Model<MarianFamily>(directory: directory))
    }

    /// A file whose tensor of that name is in BF16, its first number 2^30.
    private func withLargeNumber(_ file: Data, in tensor: String) throws -> Data {
        let length = file.withUnsafeBytes { Int(UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self))) }
        var header = try #require(
            try JSONSerialization.jsonObject(with: file[8..<8 + length]) as? [String: Any])
        var description = try #require(header[tensor] as? [String: Any])
        let start = try #require(description["data_offsets"] as? [Int])[0]
        description["dtype"] = "BF16"
        header[tensor] = description
        let text = try JSONSerialization.data(withJSONObject: header)
        var numbers = Data(file[(8 + length)...])
        numbers[numbers.startIndex + start] = 0x80
        numbers[numbers.startIndex + start + 1] = 0x4e
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Data($0) } + text + numbers
    }

    /// A file of FP16 tensors, every 97th number of every matrix eight times as large.
    private func withOutliers(_ file: Data) throws -> Data {
        var bytes = [UInt8](file)
        let length = bytes.withUnsafeBytes { Int(UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self))) }
        let header = try #require(
            try JSONSerialization.jsonObject(with: file[8..<8 + length]) as? [String: Any])
        var changed = 0
        for case let tensor as [String: Any] in header.values {
            guard let shape = tensor["shape"] as? [Int], shape.count == 2,
                let range = tensor["data_offsets"] as? [Int], tensor["dtype"] as? String == "F16"
            else { continue }
            for place in stride(from: 8 + length + range[0], to: 8 + length + range[1], by: 2 * 97) {
                let number = UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8
                let larger = HalfPrecision.finite(8 * HalfPrecision.widen(number))
                (bytes[place], bytes[place + 1]) = (UInt8(larger & 255), UInt8(larger >> 8))
                changed += 1
            }
        }
        #expect(changed > 10_000)
        return Data(bytes)
    }
}
