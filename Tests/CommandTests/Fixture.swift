import Foundation
import TestSupport

/// The model and data of the repository, and what several tests share.
enum Fixture {
    static let model = TestFiles.root.appending(path: "Fixtures/tatoeba-en-de")
    /// A random model in Marian's own format.
    static let marianNative = TestFiles.root.appending(path: "Fixtures/marian-native")
    private static let data = TestFiles.root.appending(path: "Fixtures/data")
    static let planning = [data.appending(path: "plan.en").path, data.appending(path: "plan.de").path]
    static let checking = [data.appending(path: "check.en").path, data.appending(path: "check.de").path]
    /// Bytes of all its weights as FP32.
    static let fullPrecisionBytes = 9_470_084

    /// Arguments of a small sweep.
    static func sweep(threads: Int = 2, schemes: String = "bcq2,bcq3") -> [String] {
        ["sweep", model.path, "--schemes", schemes, "--fit", "greedy"]
            + ["--threads", "\(threads)", "--limit", "10", "--data"] + planning
    }

    /// The table of that sweep, made once.
    static let table: Result<(workspace: Workspace, path: String), any Error> = Result {
        let workspace = try Workspace()
        try Program.succeed(sweep() + ["--output", workspace.path("table.json")])
        return (workspace, workspace.path("table.json"))
    }

    /// The identity that a plan for the fixture names.
    static let identity: Result<[String: String], any Error> = Result {
        let object = try Program.succeed(["inspect", model.path, "--json"]).object()
        guard let identity = object["model"] as? [String: String] else {
            throw Unexpected(description: "inspect names no model")
        }
        return identity
    }

    /// A plan for the fixture, as a person writes one.
    static func plan(_ sublayers: [String: String], more: [String: Any] = [:]) throws -> Data {
        var plan: [String: Any] = ["model": try identity.get(), "sublayers": sublayers]
        plan.merge(more) { $1 }
        return try JSONSerialization.data(withJSONObject: plan)
    }
}

/// A copy of the fixture that can be damaged: what is not touched is a link.
struct ModelCopy {
    let workspace: Workspace
    var directory: URL { workspace.file("model") }
    var path: String { directory.path }

    init(in workspace: Workspace) throws {
        self.workspace = workspace
        let manager = FileManager.default
        try manager.createDirectory(at: directory, withIntermediateDirectories: true)
        for name in try manager.contentsOfDirectory(atPath: Fixture.model.path) {
            try manager.createSymbolicLink(
                at: directory.appending(path: name), withDestinationURL: Fixture.model.appending(path: name))
        }
    }

    func read(_ name: String) throws -> Data { try Data(contentsOf: directory.appending(path: name)) }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(at: directory.appending(path: name))
    }

    func replace(_ name: String, _ data: Data) throws {
        try remove(name)
        try data.write(to: directory.appending(path: name))
    }

    /// Changes the settings of a JSON file.
    func edit(_ name: String, _ changes: [String: Any]) throws {
        guard var object = try JSONSerialization.jsonObject(with: try read(name)) as? [String: Any] else {
            throw Unexpected(description: "\(name) is no object")
        }
        object.merge(changes) { $1 }
        try replace(name, try JSONSerialization.data(withJSONObject: object))
    }

    /// Changes what the header of the weights says of one tensor, or takes it away; `appended` bytes follow
    /// the data, and `body` learns where they lie.
    func editTensor(
        _ name: String, appending appended: Data = Data(),
        _ body: (_ entry: [String: Any], _ end: Int) -> [String: Any]?
    ) throws {
        let data = try read("model.safetensors")
        let length = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        guard var header = try JSONSerialization.jsonObject(with: data[8..<(8 + length)]) as? [String: Any],
            let entry = header[name] as? [String: Any]
        else { throw Unexpected(description: "no tensor \(name)") }
        let tensors = data[(8 + length)...]
        header[name] = body(entry, tensors.count)
        let json = try JSONSerialization.data(withJSONObject: header)
        let prefix = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) }
        try replace("model.safetensors", prefix + json + tensors + appended)
    }

    /// Puts other numbers in the place of a tensor.
    func setTensor<Element>(_ name: String, type: String, shape: [Int], _ values: [Element]) throws {
        let bytes = values.withUnsafeBytes { Data($0) }
        try editTensor(name, appending: bytes) { _, end in
            ["dtype": type, "shape": shape, "data_offsets": [end, end + bytes.count]]
        }
    }
}
