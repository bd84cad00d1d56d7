// swift-tools-version: 6.0
// A package that depends on bitplan and has targets of its own that are called as bitplan's rooms are: `make
// check` builds it.
import PackageDescription

/// The library product of bitplan.
let library = Target.Dependency.product(name: "Bitplan", package: "bitplan")

let package = Package(
    name: "DependentPackage",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "bitplan", path: "../..")],
    targets: [
        .target(name: "Models"),
        .target(name: "Tokenizers"),
        .executableTarget(name: "Application", dependencies: ["Models", "Tokenizers", library]),
    ],
    swiftLanguageModes: [.v6]
)
