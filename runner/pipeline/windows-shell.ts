import type { NonEmpty } from '../domain/non-empty.ts';

/**
 * What the harness does on a Windows host, as PowerShell 5.1 scripts that take their data on standard input, a line each. Each is
 * short enough for `-EncodedCommand` within the 8,191 characters of a cmd.exe line (Microsoft, "Command prompt line string
 * limitation"): 8/3 of its length and the options.
 */
const start = `$ErrorActionPreference='Stop';$ProgressPreference='SilentlyContinue'
$u=New-Object Text.UTF8Encoding $false;try{[Console]::InputEncoding=$u;[Console]::OutputEncoding=$u}catch{}
function Say($t){[Console]::Out.Write($t+[char]10)}
$l=@([Console]::In.ReadToEnd() -split '\\r?\\n')
`;

/** Home, clock, interpreter, and which of the given folders exist. */
export const probeText = `${start}$h=$env:USERPROFILE;Say "home $h"
$s=([DateTime]::UtcNow-[DateTime]'1970-01-01').TotalSeconds
Say ('clock '+$s.ToString('F3',[Globalization.CultureInfo]::InvariantCulture))
if(Test-Path -LiteralPath $l[0] -PathType Leaf){Say "interpreter $($l[0])"}
foreach($f in $l[1..$l.Length]){if($f){
 if($f.StartsWith('~\\')){$f=$h+$f.Substring(1)}
 if(-not(Test-Path -LiteralPath $f)){Say "absent $f"}}}`;

/**
 * Fails, touching nothing more, as soon as something that is to be created exists already; says which folders it made. A copied
 * interpreter takes the libraries beside it along, and a pyvenv.cfg that says where the rest is (Python's site module).
 */
export const prepareText = `${start}function New-Run($p){New-Item -ItemType Directory -Path $p | Out-Null}
function Free($p){if(Test-Path -LiteralPath $p){Say "exists $p";exit 17}}
try{for($i=0;$i+1 -lt $l.Length;$i+=2){$a=$l[$i+1];switch($l[$i]){
'new'{Free $a}
'parent'{if(-not(Test-Path -LiteralPath $a)){New-Run $a}}
'make'{Free $a;New-Run $a;Say "made $a"}
'inner'{if(-not(Test-Path -LiteralPath $a)){New-Run $a}}
'from'{$f=$a}
'copy'{Copy-Item -LiteralPath $f -Destination $a;$d=Split-Path -Parent $f;$t=Split-Path -Parent $a
 foreach($n in 'python3*.dll','vcruntime*.dll'){Get-ChildItem -Path (Join-Path $d $n) -ErrorAction SilentlyContinue|Copy-Item -Destination $t}
 [IO.File]::WriteAllText((Join-Path $t 'pyvenv.cfg'),"home = $d")}
'link'{New-Item -ItemType SymbolicLink -Path $a -Target $f | Out-Null}
}}}catch{[Console]::Error.WriteLine($_.Exception.Message);exit 18}`;

/**
 * Registers a task of the account that has no trigger and so never starts by itself, and starts it once: without a session of the
 * account (S4U) where its rights allow that, else in the session that it must then have. Where the run folder is gone by then, somebody
 * has cleaned up already, and the task is taken away again.
 */
export const scheduleText = `${start}$n=$l[0];$c=@{Execute=$l[1]}
if($l[2]){$c.Argument=$l[2]};if($l[3]){$c.WorkingDirectory=$l[3]}
try{$a=New-ScheduledTaskAction @c;$p=New-ScheduledTaskPrincipal -UserId "$env:USERDOMAIN\\$env:USERNAME" -LogonType S4U
try{Register-ScheduledTask -TaskName $n -Action $a -Principal $p | Out-Null}catch{Register-ScheduledTask -TaskName $n -Action $a | Out-Null}
if(-not(Test-Path -LiteralPath $l[4])){Unregister-ScheduledTask -TaskName $n -Confirm:$false;throw "$($l[4]) is gone"}
Start-ScheduledTask -TaskName $n}
catch{[Console]::Error.WriteLine($_.Exception.Message);exit 19}`;

/** Carries out clean-up steps and says of each whether it is done; what is left is said with the host's own words. */
export const cleanUpText = `${start}function Bearing($m){@(Get-CimInstance Win32_Process | Where-Object {$_.ProcessId -ne $PID -and $_.CommandLine -and $_.CommandLine.Contains($m)})}
for($i=0;$i+1 -lt $l.Length;$i+=2){$o=$l[$i];$a=$l[$i+1];$e='it is still there';try{switch($o){
'end-processes'{for($t=0;$t -lt 5 -and ($p=Bearing $a).Count;$t++){$p|ForEach-Object{Stop-Process -Id $_.ProcessId -Force -ErrorAction SilentlyContinue};Start-Sleep -Milliseconds 200}
 $p=Bearing $a;if($p.Count){Say "left $o $a\`: still running: $(@($p.ProcessId) -join ' ')"}else{Say "done $o"}}
'remove'{try{if(Test-Path -LiteralPath $a){Remove-Item -LiteralPath $a -Recurse -Force}}catch{$e=$_.Exception.Message}
 if(Test-Path -LiteralPath $a){Say "left $o $a\`: $($e -replace '\\s+',' ')"}else{Say "done $o $a"}}
'remove-if-empty'{if((Test-Path -LiteralPath $a) -and -not(Get-ChildItem -LiteralPath $a -Force|Select-Object -First 1)){Remove-Item -LiteralPath $a -Force};Say "done $o $a"}
'remove-task'{if(Get-ScheduledTask -TaskName $a -ErrorAction SilentlyContinue){Stop-ScheduledTask -TaskName $a;Unregister-ScheduledTask -TaskName $a -Confirm:$false};Say "done $o"}
default{Say "left $o $a\`: there is no such thing on this host"}
}}catch{Say "left $o $a\`: $($_.Exception.Message -replace '\\s+',' ')"}}`;

/** Short names of all running processes. */
export const processesText = `${start}Get-Process | ForEach-Object {Say ($_.ProcessName+'.exe')}`;

/**
 * Account, rights, interpreters and processes. No interpreter is run: version and owner are what its file says. The store's alias, an
 * empty file that opens the store, is told apart.
 */
export const inspectText = `${start}$t=[char]9;Say "user $env:USERNAME"
$w=New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
if($w.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)){Say 'admin yes'}else{Say 'admin no'}
$d=@($env:PATH -split ';')+@("$env:ProgramFiles\\Python*","$env:SystemDrive\\Python*","$env:LOCALAPPDATA\\Programs\\Python\\Python*","$env:LOCALAPPDATA\\Microsoft\\WindowsApps")
foreach($k in 'HKLM:','HKCU:'){Get-ChildItem "$k\\SOFTWARE\\Python\\*\\*\\InstallPath" -ErrorAction SilentlyContinue|ForEach-Object{$d+=$_.GetValue('')}}
foreach($f in $d){if($f){foreach($n in 'python.exe','python3.exe','pypy3.exe'){
 foreach($i in @(Get-Item -Path (Join-Path $f $n) -Force -ErrorAction SilentlyContinue)){if($i){
  if($i.Length -eq 0){Say ('stub '+$i.FullName)}
  else{$v=$i.VersionInfo;Say ('python '+$i.FullName+$t+$i.FullName+$t+$v.ProductVersion+$t+$v.CompanyName)}}}}}}
Get-Process | ForEach-Object {Say ('process '+$_.ProcessName+'.exe')}`;

/** A script as arguments of powershell.exe: only letters, digits, +, / and = besides the options, safe under every shell. */
export function encodedCommand(script: string): NonEmpty<string> {
  // Plain ASCII, so that each character is one code unit of UTF-16LE with a zero byte behind it.
  if (/[^\n\x20-\x7e]/.test(script)) throw new RangeError('a harness script is plain ASCII');
  const encoded = btoa(script.replaceAll(/[^]/g, '$&\0'));
  return ['powershell.exe', '-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-EncodedCommand', encoded];
}
