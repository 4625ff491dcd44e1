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
        ndk {
            abiFilters += listOf("arm64-v8a", "x86_64")
        }
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            proguardFiles("keep.pro")
        }
    }

    testOptions.unitTests.isIncludeAndroidResources = true
}

dependencies {
    implementation(project(":core"))
    implementation(project(":engine-onnx"))
    implementation(project(":engine-executorch"))
    implementation(libs.onnxruntime.android)
    testImplementation(libs.junit)
    testImplementation(libs.robolectric)
}
