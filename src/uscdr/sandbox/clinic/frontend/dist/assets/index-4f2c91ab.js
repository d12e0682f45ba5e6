const root = document.getElementById("root");
root.textContent = "USC patient information system";
