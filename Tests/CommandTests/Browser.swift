import Foundation

/// Headless Chromium, where it is installed (Debian's package `chromium`): what a reader of a page sees.
enum Browser {
    /// The program; nil where none is in `PATH`.
    static let executable: URL? = {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let places = path.split(separator: ":").map { URL(filePath: String($0)) }
        for name in ["chromium", "chromium-browser", "google-chrome"] {
            let files = places.map { $0.appending(path: name) }
            if let found = files.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) {
                return found
            }
        }
        return nil
    }()

    /// A browser's settings.
    struct Look {
        var isDark = false
        var width = 1400
        var height = 1100
    }

    /// The document after its scripts have run, serialized.
    ///
    /// - Parameter fragment: what stands behind `#` in the address.
    static func document(_ page: URL, fragment: String? = nil) throws -> String {
        let outcome = try run(["--dump-dom"], page, fragment, Look())
        return outcome.text
    }

    /// A picture of the page, as PNG.
    static func screenshot(_ page: URL, fragment: String? = nil, _ look: Look) throws -> Data {
        let workspace = try Workspace()
        _ = try run(["--screenshot=\(workspace.path("page.png"))"], page, fragment, look)
        return try workspace.read("page.png")
    }

    /// What the pixels of a picture are, as a browser decodes them.
    struct Pixels {
        /// How many different colours there are.
        let colours: Int
        /// The mean of all channels, 0 (black) to 255.
        let brightness: Double
    }

    /// Reads a PNG by drawing it into a canvas.
    static func pixels(_ png: Data) throws -> Pixels {
        let workspace = try Workspace()
        let page = """
            <!DOCTYPE html><p id="out"></p><img id="i" src="data:image/png;base64,\(png.base64EncodedString())">
            <script>
            onload = () => {
              const canvas = document.createElement("canvas"), image = document.getElementById("i");
              [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
              const context = canvas.getContext("2d");
              context.drawImage(image, 0, 0);
              const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
              const seen = new Set();
              let sum = 0;
              for (let i = 0; i < bytes.length; i += 4) {
                seen.add((bytes[i] << 16) | (bytes[i + 1] << 8) | bytes[i + 2]);
                sum += bytes[i] + bytes[i + 1] + bytes[i + 2];
              }
              document.getElementById("out").textContent = `${seen.size} ${sum / (bytes.length / 4 * 3)};`;
            };
            </script>
            """
        let text = try document(try workspace.write(page, to: "pixels.html"))
        let numbers =
            text.components(separatedBy: "id=\"out\">").dropFirst().first?
            .prefix { $0 != ";" }.split(separator: " ") ?? []
        guard numbers.count == 2, let colours = Int(numbers[0]), let brightness = Double(numbers[1]) else {
            throw Unexpected(description: "the picture was not read: \(text.suffix(200))")
        }
        return Pixels(colours: colours, brightness: brightness)
    }

    private static func run(_ arguments: [String], _ page: URL, _ fragment: String?, _ look: Look) throws
        -> Outcome
    {
        guard let executable else { throw Unexpected(description: "no chromium in PATH") }
        let profile = try Workspace()
        let outcome = try Program.run(
            executable,
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--hide-scrollbars", "--force-device-scale-factor=1", "--virtual-time-budget=5000",
                "--user-data-dir=\(profile.path("profile"))", "--enable-logging=stderr",
                "--blink-settings=preferredColorScheme=\(look.isDark ? 0 : 1)",
                "--window-size=\(look.width),\(look.height)",
            ] + arguments + [page.absoluteString + (fragment.map { "#" + $0 } ?? "")])
        guard outcome.status == 0 else { throw Unexpected(description: "chromium: \(outcome.error)") }
        // Errors, warnings and requests that the page's policy blocks are told here.
        if let line = outcome.errorLines.first(where: { $0.contains("CONSOLE") }) {
            throw Unexpected(description: "the page says: \(line)")
        }
        return outcome
    }
}
