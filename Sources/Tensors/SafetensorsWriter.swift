import Foundation
import PlanFormat

/// Writes a safetensors file, tensor by tensor, so that no more than one is in memory beside the file.
package enum SafetensorsWriter {
    /// What a tensor will be: known before its bytes are made.
    package struct Declaration: Sendable {
        /// The tensor's name.
        package let name: String
        /// The element type.
        package let type: ElementType
        /// Extents, outermost first.
        package let shape: [Int]

        /// A tensor to come.
        package init(name: String, type: ElementType, shape: [Int]) {
            self.name = name
            self.type = type
            self.shape = shape
        }

        /// Bytes of the tensor.
        package var sizeInBytes: Int { shape.reduce(type.sizeInBytes, *) }
    }

    /// Writes `declarations` in order; `bytes` is asked once for each. The header is padded to 64 bytes, so
    /// the data are aligned.
    ///
    /// - Parameter headerBytes: what the header takes with its length before it, where that is to be known
    ///   beforehand: it must be enough, and a multiple of 64.
    /// - Throws: `FileError` where the file cannot be written, and what `bytes` throws; nothing is left
    ///   behind then.
    package static func write(
        _ declarations: [Declaration], metadata: [String: String] = [:], headerBytes: Int? = nil,
        to file: URL,
        bytes: (Declaration) throws -> Data
    ) throws {
        // What `bytes` throws is not about this file.
        var failure: (any Error)?
        do {
            try AtomicWrite.stream(to: file) { handle in
                let header = header(declarations, metadata, padding: headerBytes)
                precondition(headerBytes.map { header.count == $0 } ?? true, "the header takes more")
                try handle.write(contentsOf: header)
                for declaration in declarations {
                    let data: Data
                    do {
                        data = try bytes(declaration)
                    } catch {
                        failure = error
                        throw error
                    }
                    precondition(
                        data.count == declaration.sizeInBytes, "'\(declaration.name)' is not as declared")
                    try handle.write(contentsOf: data)
                }
            }
        } catch {
            throw failure ?? error
        }
    }

    /// The length and the JSON header, keys in file order so that the same tensors give the same bytes.
    static func header(
        _ declarations: [Declaration], _ metadata: [String: String], padding size: Int? = nil
    ) -> Data {
        var fields: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map {
                "\($0.key.jsonQuoted):\($0.value.jsonQuoted)"
            }
            fields.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var offset = 0
        for declaration in declarations {
            let end = offset + declaration.sizeInBytes
            let shape = declaration.shape.map(String.init).joined(separator: ",")
            fields.append(
                "\(declaration.name.jsonQuoted):{\"dtype\":\"\(declaration.type.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var json = Data("{\(fields.joined(separator: ","))}".utf8)
        let padded = max(size ?? 0, (json.count + 8 + 63) / 64 * 64)
        json.append(contentsOf: [UInt8](repeating: 0x20, count: padded - 8 - json.count))
        return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) } + json
    }
}
