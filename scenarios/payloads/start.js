// Windows Script Host: starts the interpreter (first argument) with the script and the marker, without a window, and waits.
var given = WScript.Arguments;
var line = '"' + given(0) + '" "' + given(1) + '" ' + given(2);
WScript.Quit(new ActiveXObject('WScript.Shell').Run(line, 0, true));
