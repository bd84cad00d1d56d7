import BitplanTensors
import Foundation

/// Where the files of a Marian model lie: its weights, vocabularies and, where there is one, `config.yml`,
/// which says how it decodes.
///
/// Bergamot, Firefox and their mirrors call them `model.enpt.intgemm.alphas.bin`, `vocab.enpt.spm` (or
/// `srcvocab` and `trgvocab`), `lex.50.50.enpt.s2t.bin`: names tell little, first bytes tell what a file is.
package struct MarianFiles {
    /// The directory.
    let directory: URL
    /// `config.yml`, read; nil where there is none.
    let decoding: Settings?

    /// The first bytes of a ZIP archive.
    static let archiveStart = Data([0x50, 0x4B, 0x03, 0x04])

    /// Reads `config.yml` of a directory, where it is there.
    ///
    /// - Throws: `FileError` where it is no flat YAML.
    init(directory: URL) throws(FileError) {
        self.directory = directory
        let file = directory.appending(path: "config.yml")
        guard FileManager.default.fileExists(atPath: file.path) else {
            decoding = nil
            return
        }
        guard let text = String(validating: try FileError.read(file), as: UTF8.self) else {
            throw FileError(file, "is not UTF-8")
        }
        decoding = try FlatYAML.settings(text, file)
    }

    /// The model among the files: the one that `config.yml` names, else the only one.
    ///
    /// - Throws: `FileError` where there is none, several are there and none is named, or config.yml names
    ///   several or one that is not there.
    func weights() throws(FileError) -> URL {
        let named = try names("models")
        guard named.count <= 1 else {
            throw FileError(
                directory.appending(path: "config.yml"),
                "'models': an ensemble of \(named.count) models is not supported: expected one")
        }
        if let file = named.first { return file }
        let files = Self.candidates(directory)
        let models = files.filter(Self.isModel)
        guard let model = models.first else {
            throw FileError(
                directory,
                "no config.json, and no model of Marian's among \(files.map(\.lastPathComponent).joined(separator: ", ")): expected a *.bin that starts with its version, or an *.npz"
            )
        }
        guard models.count == 1 else {
            throw FileError(
                directory,
                "has \(models.count) models (\(models.map(\.lastPathComponent).joined(separator: ", "))): name one (--weights)"
            )
        }
        return model
    }

    /// The vocabularies of both sides: those that `config.yml` names, else `vocab*.spm`, or `srcvocab*.spm`
    /// and `trgvocab*.spm`.
    ///
    /// - Throws: `FileError` where they are not there, or several could be meant.
    func vocabularies() throws(FileError) -> (source: URL, target: URL) {
        let named = try names("vocabs")
        if named.count == 2 { return (named[0], named[1]) }
        guard named.isEmpty else {
            throw FileError(
                directory.appending(path: "config.yml"),
                "'vocabs': expected those of source and target, got \(named.count)")
        }
        let all = Self.files(directory).filter { $0.pathExtension == "spm" }
        func matching(_ prefix: String) throws(FileError) -> URL? {
            let found = all.filter { $0.lastPathComponent.hasPrefix(prefix) }
            guard found.count <= 1 else {
                throw FileError(
                    directory,
                    "has \(found.count) vocabularies (\(found.map(\.lastPathComponent).joined(separator: ", "))): expected one \(prefix)*.spm, or 'vocabs' in config.yml"
                )
            }
            return found.first
        }
        let (source, target) = (try matching("srcvocab"), try matching("trgvocab"))
        if let source, let target { return (source, target) }
        guard source == nil, target == nil, let shared = try matching("vocab") else {
            throw FileError(
                directory, "no vocabulary: expected vocab*.spm, or srcvocab*.spm and trgvocab*.spm")
        }
        return (shared, shared)
    }

    /// The files in the directory that a list of `config.yml` names.
    private func names(_ key: String) throws(FileError) -> [URL] {
        guard let decoding, let value = decoding.any(key) else { return [] }
        guard let names = value as? [String] else {
            throw FileError(decoding.file, "'\(key)': expected a list of files, got \(value)")
        }
        var files: [URL] = []
        for name in names {
            let plain = name.hasPrefix("./") ? String(name.dropFirst(2)) : name
            guard !plain.isEmpty, !plain.contains("/"), plain != "..", plain != "." else {
                throw FileError(
                    decoding.file, "'\(key)': '\(name)': expected the name of a file beside it")
            }
            let file = directory.appending(path: plain)
            guard FileManager.default.fileExists(atPath: file.path) else {
                throw FileError(decoding.file, "'\(key)': '\(name)' is not there")
            }
            files.append(file)
        }
        return files
    }

    /// Whether a place holds what may be a model of Marian's: a directory without config.json that has a
    /// `*.bin` or `*.npz`, or such a file itself.
    static func mayHoldModel(_ place: URL) -> Bool {
        isFile(place)
            ? isModel(place)
            : !FileManager.default.fileExists(atPath: place.appending(path: "config.json").path)
                && !candidates(place).isEmpty
    }

    /// The directory that a place is, or lies in.
    static func directory(of place: URL) -> URL { isFile(place) ? place.deletingLastPathComponent() : place }

    /// Whether there is a file, and no directory.
    static func isFile(_ place: URL) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: place.path, isDirectory: &isDirectory)
            && !isDirectory.boolValue
    }

    /// Whether a file starts as one of Marian's models does: with version 1 or 2 of the binary form, or,
    /// called `*.npz`, as a ZIP archive. A shortlist starts with a number of its own.
    private static func isModel(_ file: URL) -> Bool {
        guard let handle = try? FileHandle(forReadingFrom: file),
            let start = try? handle.read(upToCount: 8), start.count == 8
        else { return false }
        try? handle.close()
        if file.pathExtension == "npz" { return start.starts(with: archiveStart) }
        return (1...2).contains(start.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    private static func candidates(_ directory: URL) -> [URL] {
        files(directory).filter {
            ["bin", "npz"].contains($0.pathExtension) && !$0.lastPathComponent.hasPrefix("pytorch_model")
        }
    }

    private static func files(_ directory: URL) -> [URL] {
        let found = try? FileManager.default.contentsOfDirectory(
            at: directory, includingPropertiesForKeys: nil)
        return (found ?? []).sorted { $0.lastPathComponent < $1.lastPathComponent }
    }
}
