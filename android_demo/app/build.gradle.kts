plugins {
    alias(libs.plugins.android.application)
}

android {
    namespace = "dev.edgetune.demo"
    compileSdk = 36

    defaultConfig {
        applicationId = "dev.edgetune.demo"
        minSdk = 26
        targetSdk = 34
        versionCode = 1
        versionName = "0.1.0"
    }

    // ONNX Runtime for the CPU, or the one that can use a Snapdragon's NPU too.
    flavorDimensions += "engine"
    productFlavors {
        create("cpu") {
            dimension = "engine"
            isDefault = true
            ndk {
                abiFilters += listOf("arm64-v8a", "x86_64")
            }
        }
        create("qnn") {
            dimension = "engine"
            ndk {
                abiFilters += "arm64-v8a"
            }
        }
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            proguardFiles("keep.pro")
        }
    }

    // The NPU's own loader opens its library as a file, so natives are unpacked when the app is installed.
    packaging.jniLibs.useLegacyPackaging = true

    testOptions.unitTests.isIncludeAndroidResources = true
}

dependencies {
    implementation(project(":core"))
    implementation(project(":engine-onnx"))
    implementation(project(":engine-executorch"))
    "cpuImplementation"(libs.onnxruntime.android)
    "qnnImplementation"(libs.onnxruntime.android.qnn)
    testImplementation(libs.junit)
    testImplementation(libs.robolectric)
}
