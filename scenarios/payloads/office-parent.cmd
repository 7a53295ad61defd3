@rem Starts an interpreter (first argument) with a script and a marker, by a copy of cmd.exe with the name of an Office program.
@copy /b "%SystemRoot%\System32\cmd.exe" "%~dp0winword.exe" >nul
@"%~dp0winword.exe" /d /c "%1 %2 %3"
