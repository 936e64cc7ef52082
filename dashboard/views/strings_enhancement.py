"""The words of the enhancement tab, English beside Traditional Chinese, by key."""

from __future__ import annotations

ENHANCEMENT: dict[str, tuple[str, str]] = {
    "ui.tab.enhancement": ("Enhancement", "影像增強"),
    "ui.task.enhancement": ("Enhancement", "影像增強"),
    "ui.enh.runs": ("Runs to compare (up to four)", "要比較的執行結果（最多四個）"),
    "ui.enh.focus": ("Table and pictures follow", "表格與影像跟隨"),
    "ui.enh.image": ("image", "影像"),
    "ui.enh.find": ("Find an image …", "尋找影像 …"),
    "ui.enh.columns.fidelity": ("Fidelity", "還原度"),
    "ui.enh.columns.losses": ("Losses", "損失"),
    "ui.enh.columns.plain": ("Without reference", "無參考"),
    "ui.enh.chart.images": ("Every image", "每張影像"),
    "ui.enh.chart.spread": ("Distribution", "分布"),
    "ui.enh.chart.versus": ("Model against model", "模型對模型"),
    "ui.enh.sort": ("Order (hardest first)", "排序（最難優先）"),
    "ui.enh.perceptual.gone": ("Perceptual (VGG19): weights are not here", "感知損失（VGG19）：這裡沒有權重"),
    "ui.enh.csv": ("Download these images' numbers (CSV)", "下載這些影像的數值（CSV）"),
    "ui.enh.convention": ("convention", "慣例"),
    "ui.enh.conv.y.cut": ("Luma (Y), {n} px of border left out", "亮度（Y），邊緣 {n} 像素不計"),
    "ui.enh.conv.rgb.cut": ("RGB, {n} px of border left out", "RGB，邊緣 {n} 像素不計"),
    "ui.enh.conv.rgb": ("RGB, whole picture", "RGB，整張影像"),
    "ui.enh.conv.y": ("Luma (Y), whole picture", "亮度（Y），整張影像"),
    "ui.enh.conv.published": ("as published tables", "與論文表格相同"),
    "ui.enh.selection.all": ("All images", "所有影像"),
    "ui.enh.selection.image": ("{image}", "{image}"),
    "ui.enh.selection.bin": ("Images whose {measure} is {low} to {high}", "{measure} 為 {low} 至 {high} 的影像"),
    "ui.enh.selection.identical": ("Images equal to their reference", "與參考影像完全相同的影像"),
    "ui.warn.identical": ("{model}: {n} of {of} answers equal their reference; their PSNR is infinite (∞) and left out of the mean.", "{model}：{of} 張中有 {n} 張與參考影像完全相同，其 PSNR 為無限大（∞），不列入平均。"),
    "ui.warn.small": ("{n} of {of} pictures are smaller than SSIM's window of 11 × 11 pixels: their SSIM is undefined and left out of the mean.", "{of} 張中有 {n} 張小於 SSIM 的 11 × 11 視窗：其 SSIM 無定義，不列入平均。"),
    "ui.axis.psnr": ("PSNR (RGB), dB", "PSNR（RGB），dB"),
    "ui.axis.ssim": ("SSIM (RGB)", "SSIM（RGB）"),
    "ui.axis.psnr_y": ("PSNR (Y), dB", "PSNR（Y），dB"),
    "ui.axis.ssim_y": ("SSIM (Y)", "SSIM（Y）"),
    "ui.axis.ms_ssim": ("MS-SSIM (RGB)", "MS-SSIM（RGB）"),
    "ui.axis.rank": ("images, worst first", "影像，最差優先"),
    "ui.short.psnr": ("PSNR", "PSNR"),
    "ui.short.ssim": ("SSIM", "SSIM"),
    "ui.short.psnr_y": ("PSNR (Y)", "PSNR（Y）"),
    "ui.short.ssim_y": ("SSIM (Y)", "SSIM（Y）"),
    "ui.short.ms_ssim": ("MS-SSIM", "MS-SSIM"),
    "ui.short.enh_l1": ("L1", "L1"),
    "ui.short.enh_l2": ("L2", "L2"),
    "ui.short.charbonnier": ("Charbonnier", "Charbonnier"),
    "ui.short.ssim_loss": ("1 − SSIM", "1 − SSIM"),
    "ui.short.gradient": ("Gradient", "梯度"),
    "ui.short.texture": ("Texture", "紋理"),
    "ui.short.sharpness": ("Sharpness", "銳利度"),
    "ui.short.noise": ("Noise", "雜訊"),
    "ui.short.contrast": ("Contrast", "對比"),
    "ui.short.colourfulness": ("Colour", "色彩度"),
    "ui.ephotos.go": ("Enhance", "增強"),
    "ui.ephotos.examples": ("Use example photos", "使用範例照片"),
    "ui.ephotos.hint": ("A name from the list, or a path to a weight file (any architecture spandrel reads, ONNX); up to four side by side.", "清單中的名稱或權重檔路徑（spandrel 能讀的架構、ONNX）；最多四個並排。"),
    "ui.ephotos.counts": ("PSNR in dB, model by model", "各模型的 PSNR（dB）"),
    "ui.ephotos.kind": ("First make the photo worse", "先讓照片變差"),
    "ui.ephotos.kind.hint": ("The photo itself is then the reference that answers are measured against.", "照片本身即為衡量結果的參考。"),
    "ui.ephotos.kind.none": ("No: enhance it as it is", "不要：直接增強"),
    "ui.ephotos.kind.bicubic": ("Smaller", "縮小"),
    "ui.ephotos.kind.noise": ("Noise", "雜訊"),
    "ui.ephotos.kind.jpeg": ("JPEG", "JPEG"),
    "ui.ephotos.kind.blur": ("Blur", "模糊"),
    "ui.ephotos.alpha": ("without its transparency", "不含透明度"),
    "ui.ephotos.value": ("By how much", "程度"),
    "ui.ephotos.value.hint": ("factor, sigma, quality or sigma", "倍率、sigma、品質或 sigma"),
    "ui.degrade": ("Make inputs from clean pictures", "由清晰影像製作輸入"),
    "ui.degrade.hint": ("bicubic:4, noise:25, jpeg:10, blur:1.6, or several: blur:1.2+bicubic:2; empty for two paired folders", "bicubic:4、noise:25、jpeg:10、blur:1.6，或多個：blur:1.2+bicubic:2；成對資料夾請留空"),
    "ui.elsewhere.enhancement": ("Drop a zip of enhanced pictures: no model runs", "拖入增強後影像的 zip：不執行模型"),
    "ui.data.path.enhancement": ("… or a path on this computer: folder or zip", "… 或本機路徑：資料夾或 zip"),
    "ui.data.file.enhancement": ("… or drop a zip here", "… 或將 zip 拖到這裡"),
    "ui.models.hint.enhancement": ("A name from the list (bicubic, nl_means, …), or a path to a weight file.", "清單中的名稱（bicubic、nl_means 等），或權重檔路徑。"),
    "ui.models.file.enhancement": ("… or drop weight files: .pth, .safetensors, ONNX", "… 或拖入權重檔：.pth、.safetensors、ONNX"),
    "ui.help.data.enhancement": (
        "**What can be evaluated**\n\n"
        "- a folder of clean pictures, made worse on the fly as chosen under “Make inputs from clean pictures”: smaller (as by MATLAB's bicubic), noise, JPEG, blur, or a chain of these; the exact recipe and its seed are kept with the run\n"
        "- two folders side by side, such as `input` and `target`, `low` and `high`, `LR` and `HR`: pairs by name\n"
        "- a zip of either\n\n"
        "Super-resolution leaves out as many pixels at the border as the scale, as published tables do; every other task counts the whole picture. Both are shown, for RGB and for luma.\n\n"
        "Pictures enhanced elsewhere: a zip of them, named as the clean ones.",
        "**可以評估什麼**\n\n"
        "- 一個清晰影像的資料夾，依「由清晰影像製作輸入」的選擇即時變差：縮小（同 MATLAB 的 bicubic）、雜訊、JPEG、模糊，或依序多個；確切作法與種子會隨結果保存\n"
        "- 並排的兩個資料夾，如 `input` 與 `target`、`low` 與 `high`、`LR` 與 `HR`：依檔名配對\n"
        "- 上述任一的 zip\n\n"
        "超解析會略去與倍率相同像素數的邊緣，與論文表格一致；其他任務計算整張影像。兩種都會顯示，並分 RGB 與亮度。\n\n"
        "其他地方增強好的影像：與清晰影像同名的 zip。",
    ),
}
